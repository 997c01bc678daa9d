import { useCallback, useMemo } from 'react';
import { useSearchParams } from 'wouter';
import type { operations } from '@/api/schema';
import { phases } from '@/parts/words';

/** What lists and counts of twins are asked with. */
export type TwinQuery = Omit<NonNullable<operations['listTwins']['parameters']['query']>, 'limit' | 'cursor' | 'view'>;

/** What a table is of. */
export type Kind = 'devices' | 'types' | 'groups';

const kinds = { devices: 'instance', types: 'type', groups: 'aggregate' } as const;

/** The filters' names in the address. Those of `forAll` also choose among types and groups. */
const forAll = ['q', 'tag', 'owner'] as const;
const forDevices = ['type', 'phase', 'presence', 'alarms', 'aggregate'] as const;
type FilterName = (typeof forAll)[number] | (typeof forDevices)[number];

export interface Filters {
  kind: Kind;
  sort: string;
  get: (name: FilterName) => string;
  /** Sets filters ('' takes one away), the kind or the order; what is seen changes in place, without a step back in the history. */
  set: (change: Partial<Record<FilterName | 'kind' | 'sort', string>>) => void;
  clear: () => void;
  /** Whether anything is left out. */
  any: boolean;
  query: TwinQuery;
}

/** Reads an address; what no list can be asked for counts as nothing. */
export function queryOf(params: URLSearchParams): { kind: Kind; query: TwinQuery } {
  const kind = (Object.keys(kinds) as Kind[]).find((k) => k === params.get('kind')) ?? 'devices';
  const get = (name: string) => (params.get(name) ?? '').slice(0, 64);
  const of = <T extends string>(name: string, ...allowed: T[]) => allowed.find((a) => a === params.get(name));
  const query: TwinQuery = {
    kind: kinds[kind],
    q: /[\p{L}\p{N}]/u.test(params.get('q') ?? '') ? get('q') : '',
    tag: get('tag'),
    owner: get('owner'),
    sort: of('sort', 'name', '-name', '-id', 'lastSeen', '-lastSeen', 'created', '-created'),
  };
  if (kind === 'devices') {
    query.type = get('type');
    query.aggregate = get('aggregate');
    query.phase = of('phase', ...phases);
    query.alarms = of('alarms', 'open');
    const presence = of('presence', 'online', 'offline');
    if (presence) query.online = presence === 'online' ? 'true' : 'false';
  }
  for (const [name, v] of Object.entries(query)) if (!v) delete query[name as keyof TwinQuery];
  return { kind, query };
}

/** The fleet's filters, which live in the address. */
export function useFilters(): Filters {
  const [params, setParams] = useSearchParams();
  const address = params.toString();
  const { kind, query } = useMemo(() => queryOf(new URLSearchParams(address)), [address]);
  const set = useCallback(
    (change: Partial<Record<string, string>>) =>
      setParams(
        (old) => {
          const next = new URLSearchParams(old);
          if (change.kind !== undefined) for (const name of [...forDevices, 'sort']) next.delete(name);
          for (const [name, v] of Object.entries(change)) {
            if (v && !(name === 'kind' && v === 'devices')) next.set(name, v);
            else next.delete(name);
          }
          return next;
        },
        { replace: true },
      ),
    [setParams],
  );
  const clear = useCallback(() => set(Object.fromEntries([...forAll, ...forDevices].map((name) => [name, '']))), [set]);
  const { kind: _, sort = '', ...chosen } = query;
  return {
    kind,
    sort,
    get: (name) => params.get(name) ?? '',
    set,
    clear,
    any: Object.keys(chosen).length > 0,
    query,
  };
}
