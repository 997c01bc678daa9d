import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';

/** The types that match what is searched, a page at a time; asked for when the typing rests. */
export function useTypes(typed: string) {
  const [q, setQ] = useState(typed.trim());
  useEffect(() => {
    const t = setTimeout(() => setQ(typed.trim()), 150);
    return () => clearTimeout(t);
  }, [typed]);
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

/** How many instances each type has. */
export function useInstancesByType(): Record<string, number> {
  const query = { kind: 'instance' } as const;
  const counts = useQuery({
    queryKey: keys.counts(query),
    queryFn: ({ signal }) => ok(api.GET('/function/twins/counts', { params: { query }, signal })),
  });
  return counts.data?.byType ?? {};
}
