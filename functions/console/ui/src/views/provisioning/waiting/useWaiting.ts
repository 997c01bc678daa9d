import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
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

/** The devices in one state, those seen last first, a page at a time; `whole` reads on to the end, which 10,000 are at most. */
export function useWaiting(state: Waiting['state'], whole: boolean) {
  const query = { state, limit: 1000 };
  const list = useInfiniteQuery({
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
  const { hasNextPage, isFetching, isError, fetchNextPage } = list;
  useEffect(() => {
    if (whole && hasNextPage && !isFetching && !isError) void fetchNextPage();
  }, [whole, hasNextPage, isFetching, isError, fetchNextPage]);
  return list;
}
