// Which stretch of time is looked at, as the address says it: "1h" moves along with the present, "1700000000-1700003600" stands still.

export interface Window {
  /** Seconds since 1970. */
  from: number;
  to: number;
  /** Seconds that one point of a chart stands for. */
  step: number;
  /** Moves along with the present. */
  moving: boolean;
}

/** What can be chosen, in seconds. */
export const ranges: Record<string, number> = { '15m': 900, '1h': 3600, '6h': 21_600, '24h': 86_400, '7d': 604_800 };

export const usual = '1h';

/** The range to begin with: of a twin that is younger than an hour a quarter of one, else most would be empty. */
export const firstRange = (created: string, now: number) => (now - Date.parse(created) < 3_600_000 ? '15m' : usual);

const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 86_400, 604_800];
const points = 300; // about as many as a chart has room for
const least = 10; // seconds; a closer look shows nothing more
const most = 5 * 366 * 86_400;

/** The shortest step that fills a stretch with no more points than a chart has room for. */
export const stepFor = (seconds: number) => steps.find((s) => seconds / s <= points) ?? steps[steps.length - 1]!;

/** Reads a range from the address; whatever stands there, something can be shown. */
export function windowOf(range: string, now: number): Window {
  const [, a, b] = /^(\d{1,11})-(\d{1,11})$/.exec(range) ?? [];
  if (a && b && Number(b) - Number(a) >= least && Number(b) - Number(a) <= most) {
    return { from: Number(a), to: Number(b), step: stepFor(Number(b) - Number(a)), moving: false };
  }
  const length = (Object.hasOwn(ranges, range) ? ranges[range] : ranges[usual]) as number;
  return { from: now - length, to: now, step: stepFor(length), moving: true };
}

/** A stretch as long as `w` around a moment, but not into the future. */
export function around(at: number, w: Window, now: number): [from: number, to: number] {
  const length = w.to - w.from;
  const to = Math.min(at + length / 2, Math.max(now, at + least));
  return [to - length, to];
}

/** How the address says a stretch that was chosen by dragging, never shorter than can be looked at. */
export function rangeOf(from: number, to: number): string {
  const [a, b] = [Math.floor(from), Math.ceil(to)];
  const add = Math.max(0, Math.ceil((least - (b - a)) / 2));
  return `${a - add}-${b + add}`;
}
