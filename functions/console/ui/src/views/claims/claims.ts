// The claims that there are, as they are asked for.
import { infiniteQueryOptions } from '@tanstack/react-query';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Claim } from '@/api/types';
import { serialsOf } from '@/parts/claim/claim';

const page = 500;
const pages = 20; // as many are looked through

export interface Wanted {
  type: string;
  owner: string;
  batch: string;
  state: string;
}

export const states: readonly NonNullable<Claim['state']>[] = ['open', 'used', 'expired', 'revoked'];

/** The claims that match, in the platform's order, a page at a time. */
export function claims(w: Wanted) {
  const wanted = Object.fromEntries(Object.entries(w).filter(([, v]) => v !== ''));
  return infiniteQueryOptions({
    queryKey: keys.claims({ ...wanted, pages: true }),
    queryFn: ({ signal, pageParam }) => {
      const query = { ...wanted, limit: page, ...(pageParam && { cursor: pageParam }) };
      return ok(api.GET('/function/credentials/claims', { params: { query }, signal }));
    },
    initialPageParam: '',
    getNextPageParam: (last, all) => (all.length < pages && last.next) || undefined,
    placeholderData: (old) => old,
  });
}

/** Where the labels of a batch that was just made are printed. */
export const labelsHref = (batch: string) => `/claims/labels?batch=${encodeURIComponent(batch)}`;

/** Puts those that were made last first. */
export const newestFirst = (all: Claim[]) => all.sort((a, b) => (a.created < b.created ? 1 : -1));

/** Whether all words of a text stand in what a claim says, or the text is a serial that its pattern lets in. */
export function matches(c: Claim, text: string): boolean {
  const said = [c.id, serialsOf(c), c.type, c.owner, c.batch, c.note, c.by].join(' ').toLowerCase();
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return words.every((w) => said.includes(w)) || letsIn(c.serials ?? '', text.trim());
}

/** Whether a pattern (`*`, `?`, `[a-z]`, `\\` before what is meant as it stands) is one that a serial matches; "*" alone says nothing of it. */
export function letsIn(pattern: string, serial: string): boolean {
  if (!serial || /^\**$/.test(pattern)) return false;
  const parts = pattern.match(/\\.|\[\^?[^\]]+\]|./gs) ?? [];
  const source = parts.map((p) => {
    if (p === '*') return '[^/]*';
    if (p === '?') return '[^/]';
    if (p.length > 1 && p.startsWith('[')) return p.replace(/[\\[]/g, (x, i) => (i === 0 ? x : `\\${x}`));
    return p.slice(-1).replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
  });
  try {
    return new RegExp(`^${source.join('')}$`).test(serial);
  } catch {
    return false; // no pattern that could be read
  }
}
