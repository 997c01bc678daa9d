// What a state was when: spans made of the readings of a property that has no numbers.
import { api, ok } from '@/api/client';
import type { RecordPage } from '@/api/types';

export type StateValue = string | boolean;

/** How long something stayed the same; seconds since 1970. */
export interface Span {
  value: StateValue;
  from: number;
  to: number;
}

const pages = 5;
const limit = 2000;

/** Reads spans, oldest first. Where there are too many readings, only the newest count. */
export async function readSpans(
  twin: string,
  property: string,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<Span[]> {
  const readings: { at: number; value: StateValue }[] = [];
  let cursor: string | undefined;
  for (let i = 0; i < pages; i++) {
    const query = {
      property,
      from: new Date(from * 1000).toISOString(),
      to: new Date(to * 1000).toISOString(),
      order: 'desc',
      limit,
      cursor,
    } as const;
    const page = (await ok(
      api.GET('/function/twin-history/twins/{id}', { params: { path: { id: twin }, query }, signal }),
    )) as RecordPage;
    for (const r of page.items) {
      for (const s of r.samples) {
        if (s.p === property && (typeof s.v === 'string' || typeof s.v === 'boolean')) {
          readings.push({ at: Date.parse(r.at) / 1000, value: s.v });
        }
      }
    }
    cursor = page.next;
    if (!cursor) break;
  }
  return spansOf(readings.reverse(), to);
}

/** Puts readings (oldest first) that say the same together. The last one lasts. */
export function spansOf(readings: { at: number; value: StateValue }[], to: number): Span[] {
  const spans: Span[] = [];
  for (const r of readings) {
    const last = spans.at(-1);
    if (last) last.to = Math.max(last.from, r.at);
    // Two readings of one moment: the later one counts.
    if (last && last.from === r.at) last.value = r.value;
    else if (last?.value !== r.value) spans.push({ value: r.value, from: r.at, to: r.at });
  }
  const last = spans.at(-1);
  if (last) last.to = Math.max(last.to, to);
  return spans;
}
