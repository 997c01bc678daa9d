// A property over time, in steps: as history answers it, and as readings that come in go on with it.
import { api, ok } from '@/api/client';
import type { operations } from '@/api/schema';
import type { Series } from '@/api/types';

/** What was read within one step. */
export interface Step {
  /** Its beginning, in seconds since 1970. */
  at: number;
  count: number;
  low: number;
  mean: number;
  high: number;
}

/** By property. A map: names come from outside, and an object has names of its own ("constructor"). */
export type Steps = ReadonlyMap<string, Step[]>;

const most = 40; // answers; each goes on where the one before had looked at as much as it may

/** Reads properties between two times (seconds). */
export async function readSteps(
  twin: string,
  properties: string[],
  { from, to, step }: { from: number; to: number; step: number },
  signal: AbortSignal,
): Promise<Steps> {
  const all = new Map<string, Step[]>(properties.map((p) => [p, []]));
  let next: string | undefined = stamp(Math.floor(from / step) * step);
  for (let i = 0; next && i < most; i++) {
    const query: Query = { property: properties, from: next, to: stamp(to), step: `${step}s` };
    const page: Series = await ok(
      api.GET('/function/twin-history/twins/{id}/series', { params: { path: { id: twin }, query }, signal }),
    );
    for (const { property, points } of page.series) {
      for (const { at, count, min, avg, max } of points) {
        if (min === undefined || avg === undefined || max === undefined) continue; // text only
        all.get(property)?.push({ at: Date.parse(at) / 1000, count, low: min, mean: avg, high: max });
      }
    }
    next = page.next;
  }
  return all;
}

type Query = NonNullable<operations['series']['parameters']['query']>;

const stamp = (seconds: number) => new Date(seconds * 1000).toISOString();

/** Goes on with what was read by a reading that just came. Readings older than the last step belong to what is read next. */
export function fold(all: Step[], at: number, value: number, step: number): Step[] {
  const begin = Math.floor(at / step) * step;
  const last = all.at(-1);
  if (!last || begin > last.at) return [...all, { at: begin, count: 1, low: value, mean: value, high: value }];
  if (begin < last.at) return all;
  const now = {
    at: begin,
    count: last.count + 1,
    low: Math.min(last.low, value),
    mean: (last.mean * last.count + value) / (last.count + 1),
    high: Math.max(last.high, value),
  };
  return [...all.slice(0, -1), now];
}

/** The columns of a chart. Where nothing came for much longer than usual the line is broken. */
export function columns(all: Step[], step: number) {
  const times: number[] = [];
  const mean: (number | null)[] = [];
  const low: (number | null)[] = [];
  const high: (number | null)[] = [];
  const gap = Math.max(step, usualGap(all)) * 3.5;
  let before: number | undefined;
  for (const s of all) {
    if (before !== undefined && s.at - before > gap) {
      times.push(before + step);
      mean.push(null);
      low.push(null);
      high.push(null);
    }
    times.push(s.at);
    mean.push(s.mean);
    low.push(s.low);
    high.push(s.high);
    before = s.at;
  }
  return { times, mean, low, high };
}

/** The middle one of the distances between readings: a device that reports every minute is not silent between two reports. */
function usualGap(all: Step[]): number {
  const gaps = all.slice(1).map((s, i) => s.at - all[i]!.at);
  gaps.sort((a, b) => a - b);
  return gaps[Math.floor(gaps.length / 2)] ?? 0;
}
