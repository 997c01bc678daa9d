import { useQueries } from '@tanstack/react-query';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Rule, Twin } from '@/api/types';

/** The rules that watch a twin: its own, its type's and its groups'. What may not be read is left out. */
export function useRules(t: Twin) {
  const targets = [t.id, ...(t.definition.type ? [t.definition.type] : []), ...(t.definition.aggregates ?? [])];
  return useQueries({
    queries: targets.map((target) => {
      const query = { target, limit: 1000 };
      return {
        queryKey: keys.rules(query),
        queryFn: ({ signal }: { signal: AbortSignal }) =>
          ok(api.GET('/function/twin-monitor/rules', { params: { query }, signal })),
        staleTime: 30_000,
      };
    }),
    combine,
  });
}

function combine(results: { data?: { items: Rule[] }; isPending: boolean; error: unknown; refetch: () => unknown }[]) {
  return {
    rules: results.flatMap((r) => r.data?.items ?? []),
    pending: results.some((r) => r.isPending),
    // Its own are always there to be read.
    error: results[0]?.error,
    refetch: () => {
      for (const r of results) void r.refetch();
    },
  };
}
