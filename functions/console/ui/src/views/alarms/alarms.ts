// What the alarms' page reads.
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Alarm } from '@/api/types';

export interface Filter {
  state: '' | 'open' | Alarm['state'];
  severity: string;
  twin: string;
}

/** Alarms, newest first, in pages. */
export const listOf = (filter: Filter) =>
  infiniteQueryOptions({
    queryKey: keys.alarms({ ...filter, paged: true }),
    queryFn: ({ signal, pageParam }) => {
      const query = { ...filter, limit: 100, cursor: pageParam };
      return ok(api.GET('/function/alerts/alarms', { params: { query }, signal }));
    },
    initialPageParam: '',
    getNextPageParam: (last) => last.next || undefined,
  });

export const oneAlarm = (id: string) =>
  queryOptions({
    queryKey: keys.alarms({ id }),
    queryFn: ({ signal }) => ok(api.GET('/function/alerts/alarms/{id}', { params: { path: { id } }, signal })),
    enabled: id !== '',
  });

/** Who was told of an alarm, or is to be. */
export const deliveriesOf = (id: string) =>
  queryOptions({
    queryKey: keys.alarms({ id, deliveries: true }),
    queryFn: ({ signal }) => {
      const params = { path: { id }, query: { limit: 100 } };
      return ok(api.GET('/function/alerts/alarms/{id}/deliveries', { params, signal }));
    },
  });
