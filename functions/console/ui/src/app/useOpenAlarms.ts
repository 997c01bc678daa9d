import { useQuery } from '@tanstack/react-query';
import { alarms } from '@/api/reads';

/** The open alarms, newest first, at most 100; the navigation's number. */
export function useOpenAlarms() {
  return useQuery(alarms({ state: 'open', limit: 100 }));
}
