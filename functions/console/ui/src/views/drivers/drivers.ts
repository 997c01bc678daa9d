// What the views of payload drivers read, and their words for it.
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { drivers, type Parked } from '@/api/drivers';
import { keys } from '@/api/queries';
import type { Driver, DriverState, DriverVersion } from '@/api/types';
import type { Tone } from '@/parts/Badge';
import { cover } from './firmware';

const pages = 20;
const often = 10_000; // ms: failures are counted by connectors, and no event tells of each

/** All drivers that may be seen. */
export const allDrivers = queryOptions({
  queryKey: keys.drivers(),
  queryFn: async ({ signal }) => {
    const out: Driver[] = [];
    let cursor = '';
    for (let n = 0; n < pages; n++) {
      const page = await drivers.list(cursor, signal);
      out.push(...page.items);
      cursor = page.next ?? '';
      if (!cursor) break;
    }
    return out;
  },
  refetchInterval: often,
});

export const oneDriver = (name: string) =>
  queryOptions({
    queryKey: keys.driver(name),
    queryFn: ({ signal }) => drivers.get(name, signal),
    enabled: name !== '',
    refetchInterval: often,
  });

/** A version with its code and tests; it never changes. */
export const sourceOf = (name: string, version: string) =>
  queryOptions({
    queryKey: keys.driverSource(name, version),
    queryFn: ({ signal }) => drivers.source(name, version, signal),
    enabled: name !== '' && version !== '',
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
  });

/** Parked messages of a twin or a driver, newest first, a page at a time. */
export const parkedOf = (of: Parked) =>
  infiniteQueryOptions({
    queryKey: keys.parked(of),
    queryFn: ({ signal, pageParam }) => drivers.parked(of, pageParam, signal),
    initialPageParam: '',
    getNextPageParam: (last) => last.next || undefined,
  });

/** The version that most devices use: the newest that is active, or in quarantine after it was; else the newest. */
export const usedOf = (d: Driver): DriverVersion | undefined =>
  d.versions.find((v) => v.state === 'active' || v.state === 'quarantined') ?? d.versions[0];

/**
 * The versions in quarantine that are still for some device: no newer ones that are active have all of their firmware. What they
 * would read is parked.
 */
export const standingOf = (d: Driver): DriverVersion[] =>
  d.versions.filter((v, i) => {
    const newer = d.versions.slice(0, i).filter((o) => o.state === 'active');
    const ranges = newer.map((o) => o.firmware ?? '');
    return v.state === 'quarantined' && !cover(ranges, v.firmware ?? '');
  });

/** The colour of a state. */
export const toneOfState: Record<DriverState, Tone> = {
  draft: 'neutral',
  canary: 'accent',
  active: 'ok',
  quarantined: 'critical',
  withdrawn: 'warning',
};

/** Who uses a canary, in words. */
export function canaryWords(v: DriverVersion): string {
  const { percent = 0, twins = [] } = v.canary ?? {};
  const named = twins.length === 1 ? '1 named twin' : `${twins.length} named twins`;
  if (percent && twins.length) return `${percent} % and ${named}`;
  return twins.length ? named : `${percent} %`;
}

/** The next patch version after a semantic version: what is published as a fix. */
export function nextVersion(version: string): string {
  const m = /^(\d+)\.(\d+)\.(\d+)/.exec(version);
  return m ? `${m[1]}.${m[2]}.${Number(m[3]) + (/-/.test(version) ? 0 : 1)}` : '1.0.0';
}
