import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import { counts } from '@/api/reads';
import { useRested } from '@/parts/useRested';

/** The types that match what is searched, a page at a time; asked for when the typing rests. */
export function useTypes(typed: string) {
  const q = useRested(typed);
  const query = { kind: 'type', limit: 50, ...(q && { q }) } as const;
  return useInfiniteQuery({
    queryKey: keys.twins({ ...query, pages: true }),
    queryFn: ({ signal, pageParam }) =>
      ok(
        api.GET('/function/twins/twins', {
          params: { query: { ...query, ...(pageParam && { cursor: pageParam }) } },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (last) => last.next || undefined,
    placeholderData: (old) => old,
  });
}

/** How many devices each type has. */
export function useDevicesByType(): ReadonlyMap<string, number> {
  const byType = useQuery(counts({ kind: 'instance' })).data?.byType;
  return useMemo(() => new Map(Object.entries(byType ?? {})), [byType]);
}
