import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { now } from '@/api/clock';
import { keys } from '@/api/queries';
import { live } from '@/live/live';
import { fold, readSteps, type Steps } from './history';
import { windowOf } from './window';

const again = 5 * 60_000; // what came late, or out of order, is read then

/** Properties over a range of the address: read once, then kept going by the readings that come. */
export function useSteps(twin: string, properties: string[], range: string) {
  const queries = useQueryClient();
  const key = keys.history(twin, { steps: properties, range });
  const query = useQuery({
    queryKey: key,
    queryFn: ({ signal }) => readSteps(twin, properties, windowOf(range, now() / 1000), signal),
    staleTime: again,
    refetchInterval: windowOf(range, 0).moving ? again : false,
    refetchOnWindowFocus: false,
  });
  const name = JSON.stringify(key);
  useEffect(() => {
    const key = JSON.parse(name) as ReturnType<typeof keys.history>;
    const { steps } = key[2] as { steps: string[] };
    const shown = new Set(steps);
    return live.on('readings', ({ twins }) => {
      const w = windowOf(range, now() / 1000);
      for (const t of twins) {
        if (t.twin !== twin) continue;
        queries.setQueryData<Steps>(key, (old) => {
          if (!old) return old;
          let next = old;
          for (const r of t.reported) {
            const at = Date.parse(r.at ?? '') / 1000;
            if (typeof r.value !== 'number' || !shown.has(r.property) || at < w.from || at > w.to + 60) continue;
            next = new Map(next).set(r.property, fold(next.get(r.property) ?? [], at, r.value, w.step));
          }
          return next;
        });
      }
    });
  }, [queries, name, twin, range]);
  return query;
}
