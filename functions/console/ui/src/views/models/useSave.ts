import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { ApiError } from '@/api/client';
import { keys } from '@/api/queries';
import { toast } from '@/parts/toast';
import { useAction } from '@/parts/useAction';
import { modelHref, notYet, readText, save } from './models';
import type { Checked } from './useCheck';
import type { useDraft } from './useDraft';

/** Saves a draft as the next version. Where somebody was faster, `theirs` is their text until it is decided what counts. */
export function useSave(id: string, draft: ReturnType<typeof useDraft>, { model }: Checked) {
  const queries = useQueryClient();
  const [, go] = useLocation();
  const [other, setOther] = useState<{ text: string; etag: string }>();
  const { busy, refused, run } = useAction();
  const to = id || model?.id || '';

  const put = (etag: string) =>
    run(async () => {
      try {
        const m = await save(to, draft.text, etag);
        const saved = { text: draft.text, etag: `"${m.version}"` };
        setOther(undefined);
        draft.saved(saved.text, saved.etag);
        queries.setQueryData(keys.modelVersion(to, 0), saved);
        void queries.invalidateQueries({ queryKey: keys.models(), exact: true });
        void queries.invalidateQueries({ queryKey: ['models', to, 'versions'] });
        void queries.invalidateQueries({ queryKey: keys.model(to) });
        toast.done(`${to} is saved as version ${m.version}`);
        if (!id) go(modelHref(to));
      } catch (e) {
        const stale = e instanceof ApiError && (e.status === 412 || e.status === 409);
        if (!stale) throw e;
        // A new model's name may be another's: that one is not to be written over in passing.
        if (etag === notYet) throw new Error(`There is a model ${to} already: say another id in the text.`);
        setOther(await readText(to));
      }
    });
  return {
    busy,
    refused,
    theirs: other?.text,
    save: () => put(draft.etag),
    /** Saves after the version of somebody else. */
    put: () => put(other?.etag ?? draft.etag),
    /** Gives the own text up for theirs. */
    take: () => {
      if (other) {
        draft.saved(other.text, other.etag);
        queries.setQueryData(keys.modelVersion(to, 0), other);
      }
      setOther(undefined);
    },
    leave: () => setOther(undefined),
  };
}
