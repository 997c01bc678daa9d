import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Waiting } from '@/api/types';
import { useWhole } from '@/parts/useWhole';

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
  useWhole(list, whole);
  return list;
}
