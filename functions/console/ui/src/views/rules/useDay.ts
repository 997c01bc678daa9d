import { useQuery } from '@tanstack/react-query';
import { api, ok } from '@/api/client';
import { now } from '@/api/clock';
import { keys } from '@/api/queries';
import { durationWords } from '@/parts/condition';
import type { Step } from './replay';

/** Seconds of one step: 2,880 of them are a day, which is one answer and one glance. */
export const stepLength = 30;
const day = 86_400;

export interface Day {
  /** Seconds since 1970: a day before `to`, or when the first value came. */
  from: number;
  to: number;
  steps: Step[];
}

/** What a twin measured of a property in the last 24 hours, in steps. */
export function useDay(twin: string, property: string) {
  return useQuery({
    queryKey: keys.history(twin, { property, day: stepLength }),
    queryFn: async ({ signal }): Promise<Day> => {
      const to = Math.floor(now() / 1000);
      const from = to - day;
      const steps: Step[] = [];
      for (let cursor: string | undefined; ; ) {
        const query = { property, from: iso(from), to: iso(to), step: `${stepLength}s`, agg: 'min,max,last', cursor };
        const page = await ok(
          api.GET('/function/twin-history/twins/{id}', { params: { path: { id: twin }, query }, signal }),
        );
        if (typeof page === 'string') break; // CSV, which was not asked for
        for (const b of page.items) if ('values' in b) push(steps, b);
        cursor = page.next;
        if (!cursor) break;
      }
      // A young device has not a day to show: what there is fills the chart.
      return { from: Math.max(from, Math.min(steps[0]?.at ?? from, to - 900)), to, steps };
    },
    enabled: twin !== '' && property !== '',
    staleTime: 60_000,
    refetchInterval: 60_000,
  });
}

function push(steps: Step[], b: { at: string; count: number; values: Record<string, number | undefined> }): void {
  const { min, max, last } = b.values;
  if (min === undefined || max === undefined || last === undefined) return; // text has no extremes
  steps.push({ at: Date.parse(b.at) / 1000, count: b.count, min, max, last });
}

const iso = (s: number) => new Date(s * 1000).toISOString();

/** How long it was measured of the day: "the last 24 h", or "the last 3 min" of a device that is young. */
export function measuredIn({ steps, to }: Day): string {
  const length = to - (steps[0]?.at ?? to);
  return `the last ${length > 85_000 ? '24 h' : durationWords(Math.max(1, Math.round(length / 60)) * 60)}`;
}
