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

/** A canary in quarantine is over: its devices are read as the others are, and nothing is parked for it. */
export const trialIsOver = (v: DriverVersion): boolean => v.state === 'quarantined' && v.was === 'canary';

/** It counts for all devices of its firmware: it reads their messages, or they are parked because of it. */
const counts = (v: DriverVersion): boolean => v.state === 'active' || (v.state === 'quarantined' && !trialIsOver(v));

/** The version that most devices use: the newest that is active, or in quarantine after it was; else the newest. */
export const usedOf = (d: Driver): DriverVersion | undefined => d.versions.find(counts) ?? d.versions[0];

/** Why messages are parked, and what is to be done. */
export interface Unread {
  why: string;
  remedy: string;
  /** Those of some devices are read. */
  some?: boolean;
}

/**
 * Why messages of a type's devices are parked, and what is to be done; undefined = some version reads them. A type may be there before
 * its driver is.
 */
export function unreadBy(d: Driver, owner: string | undefined): Unread | undefined {
  if (d.owner && owner && d.owner !== owner)
    return {
      why: `It belongs to group ${d.owner}, the type to ${owner}.`,
      remedy: `Publish it for ${owner} under a name of its own, or choose another.`,
    };
  if (d.versions.some((v) => v.state === 'active')) return undefined;
  if (d.versions.some(counts))
    return { why: 'It is in quarantine.', remedy: 'Publish a mended version and promote it.' };
  if (d.versions.some((v) => v.state === 'canary'))
    return { some: true, why: 'It has a canary only.', remedy: 'Promote a version for the other devices.' };
  if (d.versions.length === 0) return { why: 'It has no version.', remedy: 'Publish one and promote it.' };
  return { why: 'No version of it is active.', remedy: 'Promote one.' };
}

/** Why a driver cannot react, as its type lets it; undefined = it may have an on_event. */
export function deaf(d: Driver): string | undefined {
  const kind = usedOf(d)?.kind;
  if (kind === 'declarative') return 'It is a document: only WebAssembly drivers react.';
  if (kind === 'javascript') return 'It is JavaScript: only WebAssembly drivers react.';
  return undefined;
}

/**
 * The versions in quarantine that are still for some device: they were active, and no newer ones that are have all of their firmware.
 * What they would read is parked.
 */
export const standingOf = (d: Driver): DriverVersion[] =>
  d.versions.filter((v, i) => {
    const newer = d.versions.slice(0, i).filter((o) => o.state === 'active');
    const ranges = newer.map((o) => o.firmware ?? '');
    return v.state === 'quarantined' && !trialIsOver(v) && !cover(ranges, v.firmware ?? '');
  });

/** A failure with the place in the driver where it was thrown, and without the stack below that. */
export const thrown = (reason: string): string => {
  const frame = (line: string) => /^\s*at /.test(line);
  const lines = reason.split('\n');
  const first = lines.findIndex(frame);
  return lines.filter((line, i) => i === first || !frame(line)).join('\n');
};

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
