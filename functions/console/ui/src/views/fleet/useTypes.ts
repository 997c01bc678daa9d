import { useQuery } from '@tanstack/react-query';
import { useEffect, useMemo } from 'react';
import { api, ok } from '@/api/client';
import type { Twin } from '@/api/types';
import { isText, useStored } from '@/parts/useStored';
import type { Properties } from './reading';

export interface TypeInfo {
  id: string;
  name: string;
  properties: Properties;
}

const limit = 500;

const byId = (page: { items: Twin[] }): ReadonlyMap<string, TypeInfo> =>
  new Map(
    page.items.map((t) => [
      t.id,
      {
        id: t.id,
        name: t.definition.name || t.id,
        properties: new Map((t.definition.model?.properties ?? []).map((p) => [p.name, p])),
      },
    ]),
  );

const none: ReadonlyMap<string, TypeInfo> = new Map();

/**
 * The device types that may be seen, for names and units; they change seldom. `readings` is what each names first, as lists are asked
 * for it: before the types were read, what it was last time, so that rows need not wait for them.
 */
export function useTypes(): { types: ReadonlyMap<string, TypeInfo>; readings: string } {
  const query = { kind: 'type', limit } as const;
  const { data } = useQuery({
    queryKey: ['types', query], // not among the twins: a changed twin is no reason to read them again
    queryFn: ({ signal }) => ok(api.GET('/function/twins/twins', { params: { query }, signal })),
    staleTime: 60_000,
    refetchInterval: 60_000,
    select: byId,
  });
  const [kept, keep] = useStored('fleet.readings', '', isText);
  const readings = useMemo(() => (data ? firstOf(data) : kept.slice(0, most)), [data, kept]);
  useEffect(() => {
    if (readings !== kept) keep(readings);
  }, [readings, kept, keep]);
  return { types: data ?? none, readings };
}

const most = 3_000; // bytes of names that a list takes

/** What each type names first, as lists are asked for it. */
export function firstOf(types: ReadonlyMap<string, TypeInfo>): string {
  const names = new Set<string>();
  for (const t of types.values()) for (const name of [...t.properties.keys()].slice(0, 1)) names.add(name);
  let all = '';
  for (const name of [...names].sort()) if (!name.includes(',') && all.length + name.length < most) all += `,${name}`;
  return all.slice(1);
}
