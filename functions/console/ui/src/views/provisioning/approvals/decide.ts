// What people decide about a run: gone from the list at once, and back in it if it did not count.
import type { QueryClient } from '@tanstack/react-query';
import { ApiError, api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Decide, ProvisioningModel, Run } from '@/api/types';

type State = NonNullable<ProvisioningModel['states']>[number];
type Page = { items: Run[]; next?: string };

/** Sends a decision. A 409 says that somebody else was faster, or that the run has gone on. */
export async function decide(queries: QueryClient, run: Run, body: Decide): Promise<Run> {
  const lists = { queryKey: ['runs'] };
  await queries.cancelQueries(lists);
  const before = queries.getQueriesData<Page>(lists);
  queries.setQueriesData<Page>(lists, (old) =>
    old?.items ? { ...old, items: old.items.filter((r) => !(r.id === run.id && r.asks)) } : old,
  );
  try {
    const params = { path: { id: run.id } };
    const now = await ok(
      api.POST('/function/twin-provision/runs/{id}/decisions', {
        params,
        body: { ...(run.asks && { state: run.asks.state }), ...body },
      }),
    );
    queries.setQueryData(keys.run(run.id), now);
    return now;
  } catch (e) {
    for (const [key, data] of before) queries.setQueryData(key, data);
    if (e instanceof ApiError && e.status === 409) void queries.invalidateQueries({ queryKey: keys.run(run.id) });
    throw e;
  } finally {
    for (const word of ['runs', 'board']) void queries.invalidateQueries({ queryKey: [word] });
  }
}

/** Whether a reason must come with a decision: the model wants one unless it says otherwise, or looks at it. */
export const wantsReason = (s: State | undefined, trigger: 'approved' | 'declined') =>
  (s?.do === 'ask' && s.with?.reason !== 'optional') ||
  (s?.on ?? []).some((o) => o.when === trigger && /\bdecision\.reason\b/.test(o.if ?? ''));
