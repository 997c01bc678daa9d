// Texts that were begun and not saved yet: they survive going to another page, and are gone with whoever signs out.
import { session } from '@/api/session';

const kept = new Map<string, { text: string; base: string; etag: string }>();

export const drafts = {
  get: (id: string) => kept.get(id),
  keep: (id: string, draft: { text: string; base: string; etag: string }) => void kept.set(id, draft),
  drop: (id: string) => void kept.delete(id),
};

session.subscribe((s) => !s && kept.clear());
