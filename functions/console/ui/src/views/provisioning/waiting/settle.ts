// What is decided about devices that wait: some at a call, so that it is seen how far it is, and each is heard of.
import type { QueryClient } from '@tanstack/react-query';
import { api, ok } from '@/api/client';
import { reasonOf } from '@/api/problem';
import type { Admit, Decided, Waiting } from '@/api/types';

const most = 100; // devices of a call
const rounds = 20; // how often a call that ran out of time is made again

/** What became of those that were meant. */
export interface Settled {
  done: number;
  /** Those that it could not be done for, and why. */
  faults: { id: string; reason: string }[];
}

/** Is told how many were asked for so far; false leaves the others as they are. */
export type Tell = (asked: number) => boolean;

/**
 * Has all of them decided, a part after the other. A part that ran out of time is asked again, which is harmless: who is done stays
 * done. Where a call fails, those before it are settled already, so it is told of the rest one by one.
 */
export async function inParts(
  ids: readonly string[],
  call: (ids: string[]) => Promise<Decided>,
  tell: Tell = () => true,
): Promise<Settled> {
  const out: Settled = { done: 0, faults: [] };
  for (let i = 0; i < ids.length; i += most) {
    const some = ids.slice(i, i + most);
    try {
      let d = await call(some);
      for (let n = 1; d.more && n < rounds; n++) d = await call(some);
      if (d.more) throw new Error('the platform is too slow');
      out.done += d.done;
      out.faults.push(...(d.faults ?? []));
    } catch (e) {
      if (i === 0) throw e;
      const why = reasonOf(e);
      out.faults.push(...some.map((id) => ({ id, reason: `not known whether it was done: ${why}` })));
      out.faults.push(...ids.slice(i + most).map((id) => ({ id, reason: `not asked for any more: ${why}` })));
      return out;
    }
    if (!tell(Math.min(ids.length, i + most))) return out;
  }
  return out;
}

/** Lets them in under the serials that were seen: one that says another by now is not meant. */
export function admit(who: readonly Waiting[], how: Omit<Admit, 'ids' | 'all' | 'serials'>, tell: Tell) {
  const seen = new Map(who.map((w) => [w.id, w.serial]));
  const call = (ids: string[]) => {
    const serials = Object.fromEntries(ids.map((id) => [id, seen.get(id) ?? '']));
    return ok(api.POST('/function/twin-provision/waiting/admit', { body: { ...how, ids, serials } }));
  };
  return inParts([...seen.keys()], call, tell);
}

export const ban = (ids: readonly string[], reason: string, tell: Tell) =>
  inParts(ids, (some) => ok(api.POST('/function/twin-provision/waiting/ban', { body: { ids: some, reason } })), tell);

/** Has them wait again. */
export const unban = (ids: readonly string[]) =>
  inParts(ids, (some) => ok(api.POST('/function/twin-provision/waiting/unban', { body: { ids: some } })));

export const again = (queries: QueryClient) => void queries.invalidateQueries({ queryKey: ['waiting'] });
