// From values to places on the chart of the day, and back.
import { isBytes } from '@/parts/format';

export interface Scale {
  /** Place of a value, in pixels. */
  at: (v: number) => number;
  /** Value at a place. */
  of: (px: number) => number;
}

/** Maps low…high to a…b. */
export function scale(low: number, high: number, a: number, b: number): Scale {
  const k = (b - a) / (high - low);
  return { at: (v) => a + (v - low) * k, of: (px) => low + (px - a) / k };
}

/** The range shown: everything measured and the lines, with air; zero where it is near. */
export function range(values: number[]): [low: number, high: number] {
  const there = values.filter(Number.isFinite);
  if (there.length === 0) return [0, 1];
  const low = Math.min(...there);
  const high = Math.max(...there);
  const air = high === low ? Math.abs(high) * 0.2 || 1 : (high - low) * 0.14;
  return [low >= 0 && low - air < 0 ? 0 : low - air, high + air];
}

/** The grain of round numbers of which `n` or fewer fit into the span: 1, 2 or 5 times a power of ten; of bytes, a power of two. */
export function grain(span: number, n: number, unit?: string): number {
  const raw = span / n;
  if (isBytes(unit) && raw >= 1) return 2 ** Math.ceil(Math.log2(raw));
  const ten = 10 ** Math.floor(Math.log10(raw));
  return ten * ([1, 2, 5, 10].find((m) => m * ten >= raw) ?? 10);
}

/** Round numbers within the range. */
export function ticks(low: number, high: number, n: number, unit?: string): number[] {
  const g = grain(high - low, n, unit);
  const first = Math.ceil(low / g);
  return Array.from({ length: Math.floor(high / g) - first + 1 }, (_, i) => tidy((first + i) * g));
}

/** v at the grain that a pointer can aim at: a two-hundredth of the range. */
export const aim = (v: number, low: number, high: number, unit?: string) => {
  const g = grain(high - low, 250, unit);
  return tidy(Math.round(v / g) * g);
};

/** Without what binary fractions add: 0.30000000000000004 is 0.3. */
const tidy = (v: number) => Number(v.toPrecision(15));

const twelve = new Intl.DateTimeFormat(undefined, { hour: 'numeric' }).resolvedOptions().hour12;
const hours = new Intl.DateTimeFormat(undefined, twelve ? { hour: 'numeric' } : { hour: '2-digit', minute: '2-digit' });
const minutes = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });

/** Round times of the reader's clock within from…to (seconds), at most about n; none at the very edges, where a label would be cut. */
export function clockTicks(from: number, to: number, n: number): { at: number; label: string }[] {
  const every =
    [60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 14400, 21600].find((s) => (to - from) / s <= n) ?? 43200;
  const midnight = new Date(from * 1000).setHours(0, 0, 0, 0) / 1000;
  const edge = (to - from) * 0.03;
  const out: { at: number; label: string }[] = [];
  for (let at = midnight + Math.ceil((from - midnight) / every) * every; at <= to - edge; at += every)
    if (at >= from + edge) out.push({ at, label: (every < 3600 ? minutes : hours).format(at * 1000) });
  return out;
}
