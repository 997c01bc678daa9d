import { useQueryClient } from '@tanstack/react-query';
import { ApiError, api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { DefinitionChange, Twin } from '@/api/types';
import { toast } from '@/parts/toast';

/** The status of a change that was made on an older version. */
export const stale = 412;

/**
 * Changes a twin's definition: shown at once, taken back where it is refused, and undone by the toast. It is refused where somebody
 * else has changed the twin since it was read.
 */
export function useEdit() {
  const queries = useQueryClient();

  const write = async (t: Twin, change: DefinitionChange): Promise<Twin> => {
    const key = keys.twin(t.id);
    await queries.cancelQueries({ queryKey: key });
    const before = queries.getQueryData<Twin>(key);
    queries.setQueryData<Twin>(key, { ...t, definition: { ...t.definition, ...without(change) } });
    try {
      const params = { path: { id: t.id }, header: { 'If-Match': `"${t.definition.version}"` } };
      const now = await ok(api.PATCH('/function/twins/twins/{id}/definition', { params, body: change }));
      queries.setQueryData(key, now);
      void queries.invalidateQueries({ queryKey: ['twins'] });
      return now;
    } catch (e) {
      queries.setQueryData(key, before);
      if (e instanceof ApiError && e.status === stale) {
        void queries.invalidateQueries({ queryKey: key });
        throw new ApiError(
          stale,
          'Somebody else has changed this twin meanwhile. Look at what is there now, then save again.',
        );
      }
      throw e;
    }
  };

  return async (t: Twin, change: DefinitionChange, said: string): Promise<void> => {
    const now = await write(t, change);
    const d = t.definition;
    const back: DefinitionChange = {};
    if ('name' in change) back.name = d.name ?? null;
    if ('tags' in change) back.tags = d.tags ?? null;
    toast.done(said, () => void write(now, back).catch((e) => toast.failed('Not undone', e)));
  };
}

/** What is removed is not there. */
function without(change: DefinitionChange): Partial<Twin['definition']> {
  return Object.fromEntries(Object.entries(change).map(([k, v]) => [k, v ?? undefined]));
}
