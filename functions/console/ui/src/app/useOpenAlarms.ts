import { useQuery } from '@tanstack/react-query';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';

/** The open alarms, newest first, at most 100; the navigation's number. */
export function useOpenAlarms() {
  const query = { state: 'open', limit: 100 } as const;
  return useQuery({
    queryKey: keys.alarms(query),
    queryFn: ({ signal }) => ok(api.GET('/function/alerts/alarms', { params: { query }, signal })),
  });
}
