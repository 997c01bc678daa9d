// Taking alarms on and letting them go, wherever they are shown.
import type { QueryClient } from '@tanstack/react-query';
import { api, ok } from '@/api/client';
import type { Alarm } from '@/api/types';

const acknowledge = (id: string, note: string) =>
  ok(api.POST('/function/alerts/alarms/{id}/acknowledge', { params: { path: { id } }, body: note ? { note } : {} }));

const release = (id: string) => ok(api.POST('/function/alerts/alarms/{id}/release', { params: { path: { id } } }));

/** What became of several calls: who took part, and the first thing that was wrong. */
export interface Outcome {
  done: Alarm[];
  failed: number;
  error?: unknown;
}

/** Takes alarms on, or lets them go. It shows at once; what was refused shows again as it is. */
export async function change(
  queries: QueryClient,
  ids: string[],
  what: { take: true; by: string; note: string } | { take: false },
): Promise<Outcome> {
  await queries.cancelQueries({ queryKey: ['alarms'] });
  const at = new Date().toISOString();
  const chosen = new Set(ids);
  patch(queries, (a) => {
    if (!chosen.has(a.id) || a.state === 'cleared') return a;
    return what.take
      ? { ...a, state: 'acknowledged', acknowledgedBy: what.by, acknowledgedAt: at, note: what.note || undefined }
      : { ...a, state: 'raised', acknowledgedBy: undefined, acknowledgedAt: undefined, note: undefined };
  });
  const out: Outcome = { done: [], failed: 0 };
  const left = [...ids];
  const work = async () => {
    for (let id = left.shift(); id !== undefined; id = left.shift()) {
      try {
        out.done.push(await (what.take ? acknowledge(id, what.note) : release(id)));
      } catch (e) {
        out.failed++;
        out.error ??= e;
      }
    }
  };
  await Promise.all([work(), work(), work(), work()]);
  const now = new Map(out.done.map((a) => [a.id, a]));
  patch(queries, (a) => now.get(a.id) ?? a);
  void queries.invalidateQueries({ queryKey: ['alarms'] });
  return out;
}

/** Changes alarms wherever they are kept: in lists, in pages of lists, or alone. */
function patch(queries: QueryClient, f: (a: Alarm) => Alarm): void {
  queries.setQueriesData({ queryKey: ['alarms'] }, (old: unknown) => patched(old, f));
}

/** Exported for its test. */
export function patched(old: unknown, f: (a: Alarm) => Alarm): unknown {
  if (!old || typeof old !== 'object') return old;
  if ('pages' in old && Array.isArray(old.pages)) return { ...old, pages: old.pages.map((p) => patched(p, f)) };
  if ('items' in old && Array.isArray(old.items)) return { ...old, items: old.items.map((a) => patched(a, f)) };
  return 'state' in old && 'rule' in old ? f(old as Alarm) : old;
}
