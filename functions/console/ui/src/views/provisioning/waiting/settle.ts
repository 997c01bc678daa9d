// What is decided about devices that wait, at most 500 at a call.
import type { QueryClient } from '@tanstack/react-query';
import { api, ok } from '@/api/client';
import type { Admit, Decided } from '@/api/types';

const most = 500;

async function inParts(ids: readonly string[], call: (ids: string[]) => Promise<Decided>): Promise<Decided> {
  const out: Decided = { done: 0, faults: [] };
  for (let i = 0; i < ids.length; i += most) {
    const d = await call(ids.slice(i, i + most));
    out.done += d.done;
    out.faults = [...(out.faults ?? []), ...(d.faults ?? [])];
  }
  return out;
}

export const admit = (ids: readonly string[], how: Omit<Admit, 'ids' | 'all'>) =>
  inParts(ids, (some) => ok(api.POST('/function/twin-provision/waiting/admit', { body: { ...how, ids: some } })));

export const ban = (ids: readonly string[], reason: string) =>
  inParts(ids, (some) => ok(api.POST('/function/twin-provision/waiting/ban', { body: { ids: some, reason } })));

/** Has them wait again. */
export const unban = (ids: readonly string[]) =>
  inParts(ids, (some) => ok(api.POST('/function/twin-provision/waiting/unban', { body: { ids: some } })));

export const again = (queries: QueryClient) => void queries.invalidateQueries({ queryKey: ['waiting'] });
