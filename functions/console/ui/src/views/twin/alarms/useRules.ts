import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Rule, Twin } from '@/api/types';

/** The rules that watch a twin: its own, its type's and its groups'. */
export function useRules(t: Twin) {
  const query = useQuery({
    queryKey: keys.rules({ watching: t.id }),
    queryFn: ({ signal }) =>
      ok(api.GET('/function/twin-monitor/twins/{id}/rules', { params: { path: { id: t.id } }, signal })),
    staleTime: 30_000,
  });
  const rules: Rule[] = useMemo(() => query.data?.items.map((i) => i.rule) ?? [], [query.data]);
  return { rules, pending: query.isPending, error: query.error, refetch: () => void query.refetch() };
}
