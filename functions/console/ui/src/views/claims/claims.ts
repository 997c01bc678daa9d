// The claims that there are, as they are asked for.
import { infiniteQueryOptions } from '@tanstack/react-query';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Claim } from '@/api/types';

export interface Wanted {
  type: string;
  owner: string;
  batch: string;
  state: string;
}

export const states: readonly NonNullable<Claim['state']>[] = ['open', 'used', 'expired', 'revoked'];

/** The claims that match, newest first as the platform has them, a page at a time. */
export function claims(w: Wanted) {
  const wanted = Object.fromEntries(Object.entries(w).filter(([, v]) => v !== ''));
  return infiniteQueryOptions({
    queryKey: keys.claims({ ...wanted, pages: true }),
    queryFn: ({ signal, pageParam }) => {
      const query = { ...wanted, limit: 100, ...(pageParam && { cursor: pageParam }) };
      return ok(api.GET('/function/credentials/claims', { params: { query }, signal }));
    },
    initialPageParam: '',
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: (old) => old,
  });
}

/** Where the labels of a batch that was just made are printed. */
export const labelsHref = (batch: string) => `/claims/labels?batch=${encodeURIComponent(batch)}`;
