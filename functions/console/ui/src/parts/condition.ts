// A rule's condition: the text form that the platform keeps ("cpu.percent > 80 for 1m clear 70"), read, written and said in words.
import { said } from './format';

export const operators = ['>', '>=', '<', '<=', '==', '!='] as const;
export type Operator = (typeof operators)[number];

export interface Condition {
  property: string;
  op: Operator;
  value: number;
  /** Seconds that it must hold before the alarm is raised; 0 = at once. */
  for: number;
  /** What must be passed the other way before the alarm ends; undefined = value. */
  clear?: number;
}

/** Operators as people say them. */
export const operatorWords: Record<Operator, string> = {
  '>': 'is above',
  '>=': 'is at or above',
  '<': 'is below',
  '<=': 'is at or below',
  '==': 'is exactly',
  '!=': 'is not',
};

const form =
  /^\s*([^\s<>=!]+)\s*(>=|<=|==|!=|>|<)\s*(\S+)(?:\s+for\s+(\S+))?(?:\s+clear\s*(?:>=|<=|>|<)?\s*(\S+))?\s*$/;

/** Reads the text form; undefined if it is none, from a newer platform perhaps. */
export function parseCondition(text: string): Condition | undefined {
  const m = form.exec(text);
  if (!m) return undefined;
  const [, property = '', op, limit, time, clear] = m;
  const c: Condition = { property, op: op as Operator, value: Number(limit), for: time ? seconds(time) : 0 };
  if (clear !== undefined) c.clear = Number(clear);
  return [c.value, c.for, c.clear ?? 0].every(Number.isFinite) ? c : undefined;
}

/** Writes the text form. */
export function conditionText(c: Condition): string {
  const time = c.for > 0 ? ` for ${duration(c.for)}` : '';
  return `${c.property} ${c.op} ${c.value}${time}${c.clear === undefined ? '' : ` clear ${c.clear}`}`;
}

/** "is above 80 % for 1 min, clears at 70 %": what follows the property in a sentence. */
export function conditionWords(c: Condition, unit?: string): string {
  const time = c.for > 0 ? ` for ${durationWords(c.for)}` : '';
  const back = c.clear === undefined || c.clear === c.value ? '' : `, clears at ${said(c.clear, unit)}`;
  return `${operatorWords[c.op]} ${said(c.value, unit)}${time}${back}`;
}

/** A title that is a condition, because its rule has no name, in words; any other as it is. */
export function titleWords(title: string, unit?: string): string {
  const c = parseCondition(title);
  return c ? `${c.property} ${conditionWords(c, unit)}` : title;
}

/** What happened, as the platform noted it, with a rule's condition in words: "alarm raised: cpu.percent is above 80 %". */
export function occurrenceWords(what: string, unitOf: (property: string) => string | undefined): string {
  const [, event = '', title] = /^(alarm (?:raised|cleared): )(.*)$/s.exec(what) ?? [];
  return title === undefined ? what : event + titleWords(title, unitOf(parseCondition(title)?.property ?? ''));
}

/** What ends the alarm: the value is no longer beyond the line. */
export const clearWords = (op: Operator) =>
  ({ '>': 'is at or below', '>=': 'is below', '<': 'is at or above', '<=': 'is above', '==': 'is not', '!=': 'is' })[
    op
  ];

const units: Record<string, number> = { ns: 1e-9, us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600 };

/** Seconds of Go's notation: "1h30m". NaN if it is none. */
export function seconds(text: string): number {
  const parts = text.trim().match(/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/) && text.match(/[\d.]+[a-zµ]+/g);
  if (!parts) return text.trim() === '0' ? 0 : Number.NaN;
  return parts.reduce((sum, p) => sum + Number.parseFloat(p) * (units[p.replace(/^[\d.]+/, '')] ?? Number.NaN), 0);
}

/** Go's notation without zero units: 5400 → "1h30m". */
export function duration(s: number): string {
  if (s > 0 && s < 1) return `${Math.round(s * 1000)}ms`;
  const [h, m, rest] = [Math.floor(s / 3600), Math.floor((s % 3600) / 60), Math.round((s % 60) * 1000) / 1000];
  const text = (h ? `${h}h` : '') + (m || (h && rest) ? `${m}m` : '') + (rest ? `${rest}s` : '');
  return text || '0s';
}

/** 5400 → "1 h 30 min". */
export function durationWords(s: number): string {
  if (s > 0 && s < 1) return `${Math.round(s * 1000)} ms`;
  const whole = Math.round(s);
  const parts: [n: number, unit: string][] = [
    [Math.floor(whole / 86400), 'd'],
    [Math.floor((whole % 86400) / 3600), 'h'],
    [Math.floor((whole % 3600) / 60), 'min'],
    [whole % 60, 's'],
  ];
  // Two units say enough: nobody reads the seconds of a day.
  const first = parts.findIndex(([n]) => n > 0);
  if (first < 0) return '0 s';
  return parts
    .slice(first, first + 2)
    .filter(([n]) => n > 0)
    .map(([n, unit]) => `${n} ${unit}`)
    .join(' ');
}
