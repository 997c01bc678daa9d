// How times, numbers and units are written. The reader's own zone and language; UTC where precision counts.

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'long' });

/** A form for dates: the year stands where it is not this one. */
export function dated(form: Intl.DateTimeFormatOptions): (t: number | Date) => string {
  const near = new Intl.DateTimeFormat(undefined, form);
  const far = new Intl.DateTimeFormat(undefined, { ...form, year: 'numeric' });
  return (t) => (new Date(t).getFullYear() === new Date().getFullYear() ? near : far).format(t);
}

/** "12 s ago"; from a week on, the date. */
export function ago(t: number, now: number): string {
  const s = Math.round((now - t) / 1000);
  if (s < -5) return `in ${span(ahead(-s))}`;
  if (s < 5) return 'just now';
  if (s < 7 * 86400) return `${span(s)} ago`;
  return dayTime(t);
}

/** To the next whole hour or minute: what was made for 24 h ends in 24 h, not in 23. */
const ahead = (s: number) =>
  s < 60 ? s : s < 3600 ? Math.round(s / 60) * 60 : s < 2 * 86400 ? Math.round(s / 3600) * 3600 : s;

/** 90 → "1 min". */
export function span(s: number): string {
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 2 * 86400) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

/** Milliseconds as people say them: 340 ms, 2.1 s, 3 min. */
export function took(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  return span(Math.round(ms / 1000));
}

export const clockTime = (t: number | Date) => clock.format(t);
export const dayTime = dated({ day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
export const fullTime = (t: number | Date) => full.format(t);
export const utc = (t: number | Date) => `${new Date(t).toISOString().replace('T', ' ').replace('Z', '')} UTC`;

const number = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 5 });
const whole = new Intl.NumberFormat();

/** 12,345 */
export const count = (n: number) => whole.format(n);

/** 1 → "1 device", 2,000 → "2,000 devices". */
export const plural = (n: number, one: string) => `${count(n)} ${one}${n === 1 ? '' : 's'}`;

/** A reading's value for people; booleans as yes and no. */
export function value(v: unknown): string {
  if (typeof v === 'number') return Number.isInteger(v) && Math.abs(v) < 1e9 ? whole.format(v) : number.format(v);
  if (typeof v === 'boolean') return v ? 'yes' : 'no';
  if (v === null || v === undefined) return '–';
  return typeof v === 'string' ? v : JSON.stringify(v);
}

/** UCUM codes whose sign is another. A map: codes come from outside, and an object has names of its own ("constructor"). */
const signs = new Map([
  ['Cel', '°C'],
  ['[degF]', '°F'],
  ['[ppm]', 'ppm'],
  ['deg', '°'],
  ['By', 'B'],
  ['KiBy', 'KiB'],
  ['MiBy', 'MiB'],
  ['GiBy', 'GiB'],
  ['Ohm', 'Ω'],
  ['um', 'µm'],
  ['us', 'µs'],
  ['By/s', 'B/s'],
  ['1', ''],
  ['{count}', ''],
]);

/** The sign of a UCUM code. */
export const unitSign = (code: string | undefined) => (code ? (signs.get(code) ?? code) : '');

/** Whether a unit is counted in powers of 1024. */
export const isBytes = (unit: string | undefined) => unit === 'By' || unit === 'By/s';

const short = new Intl.NumberFormat(undefined, { notation: 'compact', maximumSignificantDigits: 4 });
const three = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });

/** A value with the sign of its unit, as people say it: bytes by powers of 1024, long times in hours and days. */
export function quantity(v: unknown, unit?: string): { text: string; sign: string } {
  if (typeof v === 'number' && isBytes(unit) && Math.abs(v) >= 1024) {
    const power = powerOf(v);
    return { text: three.format(v / 1024 ** power), sign: `${'KMGTPE'[power - 1]}iB${unit === 'By' ? '' : '/s'}` };
  }
  if (typeof v === 'number' && unit === 's' && v >= 600) return { text: longTime(v), sign: '' };
  return { text: value(v), sign: unitSign(unit) };
}

/** The same in one text: "94.25 %", "3.8 GiB". */
export function said(v: unknown, unit?: string): string {
  const { text, sign } = quantity(v, unit);
  return `${text} ${sign}`.trimEnd();
}

const powerOf = (v: number) => Math.min(6, Math.floor(Math.log2(Math.max(1, Math.abs(v))) / 10));

/** 25200 → "7 h 0 min". */
function longTime(s: number): string {
  const [d, h, min] = [Math.floor(s / 86_400), Math.floor((s % 86_400) / 3600), Math.floor((s % 3600) / 60)];
  return d > 0 ? `${whole.format(d)} d ${h} h` : h > 0 ? `${h} h ${min} min` : `${min} min`;
}

/** A value beside an axis, in few characters. */
export function axisValue(v: number, unit?: string): string {
  const power = powerOf(v);
  if (isBytes(unit) && power > 0) return `${three.format(v / 1024 ** power)} ${'KMGTPE'[power - 1]}iB`;
  return Math.abs(v) >= 100_000 ? short.format(v) : value(v);
}

const minutes = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const days = dated({ day: 'numeric', month: 'short' });

/** A time below an axis whose ticks are `step` seconds apart. Where a day begins, the day. */
export function axisTime(t: number, step: number): string {
  const d = new Date(t * 1000);
  if (d.getHours() + d.getMinutes() + d.getSeconds() === 0) return days(d);
  return step < 60 ? clock.format(d) : minutes.format(d);
}
