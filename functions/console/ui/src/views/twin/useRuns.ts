import { useQuery } from '@tanstack/react-query';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';

/** The provisioning runs of a twin, newest first, without their steps; for twin '' none. */
export function useRuns(twin: string) {
  const query = { twin, limit: 50 } as const;
  return useQuery({
    queryKey: keys.runs(query),
    queryFn: ({ signal }) => ok(api.GET('/function/twin-provision/runs', { params: { query }, signal })),
    enabled: twin !== '',
  });
}
