import { useQuery } from '@tanstack/react-query';
import { api, ok } from '@/api/client';
import type { Twin } from '@/api/types';
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

/** The device types that may be seen, for names and units. They change seldom. */
export function useTypes(): ReadonlyMap<string, TypeInfo> {
  const query = { kind: 'type', limit } as const;
  return (
    useQuery({
      queryKey: ['types', query], // not among the twins: a changed twin is no reason to read them again
      queryFn: ({ signal }) => ok(api.GET('/function/twins/twins', { params: { query }, signal })),
      staleTime: 60_000,
      select: byId,
    }).data ?? none
  );
}
