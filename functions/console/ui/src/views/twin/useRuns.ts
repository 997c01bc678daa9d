import { useQuery } from '@tanstack/react-query';
import { runs } from '@/api/reads';

/** The provisioning runs of a twin, newest first, without their steps; for twin '' none. */
export function useRuns(twin: string) {
  return useQuery({ ...runs({ twin, limit: 50 }), enabled: twin !== '' });
}
