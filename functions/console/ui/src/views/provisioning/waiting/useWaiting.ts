import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Waiting } from '@/api/types';

/** How many devices wait, were admitted and are banned. */
export function useWaitingCounts(may: boolean) {
  return useQuery({
    queryKey: keys.waiting({ counts: true }),
    enabled: may,
    queryFn: ({ signal }) =>
      ok(api.GET('/function/twin-provision/waiting', { params: { query: { limit: 1 } }, signal })),
  }).data?.counts;
}

/** The devices in one state, those seen last first, a page at a time. */
export function useWaiting(state: Waiting['state']) {
  const query = { state, limit: 500 };
  return useInfiniteQuery({
    queryKey: keys.waiting(query),
    queryFn: ({ signal, pageParam }) =>
      ok(
        api.GET('/function/twin-provision/waiting', {
          params: { query: { ...query, ...(pageParam && { cursor: pageParam }) } },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (last) => last.next || undefined,
  });
}
