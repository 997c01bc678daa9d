import { useEffect, useState } from 'react';
import { drafts } from './drafts';

interface Draft {
  text: string;
  /** The text as it was read or saved last. */
  base: string;
  /** Of the version that it was. */
  etag: string;
}

/** A text that is being edited. It is kept until it is saved or given up. */
export function useDraft(id: string, begin: { text: string; etag: string }) {
  const [draft, setDraft] = useState<Draft>(
    () => drafts.get(id) ?? { text: begin.text, base: begin.text, etag: begin.etag },
  );
  const dirty = draft.text !== draft.base;
  useEffect(() => {
    if (dirty) drafts.keep(id, draft);
    else drafts.drop(id);
  }, [id, draft, dirty]);
  useEffect(() => {
    if (!dirty) return;
    const ask = (e: BeforeUnloadEvent) => e.preventDefault();
    addEventListener('beforeunload', ask);
    return () => removeEventListener('beforeunload', ask);
  }, [dirty]);
  // What somebody else saved shows at once where nothing was changed here.
  const { text, etag } = begin;
  useEffect(() => {
    setDraft((d) => (d.text === d.base && etag !== d.etag ? { text, base: text, etag } : d));
  }, [text, etag]);
  return {
    ...draft,
    dirty,
    write: (t: string) => setDraft((d) => ({ ...d, text: t })),
    /** The text is what the platform has, under this tag. */
    saved: (t: string, tag: string) => setDraft({ text: t, base: t, etag: tag }),
  };
}
