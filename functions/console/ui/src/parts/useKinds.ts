import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Twin } from '@/api/types';

/** The types and groups by id: whatever else is named is a device. */
export function useKinds(): Map<string, Twin> {
  const types = useQuery(listOf('type')).data;
  const groups = useQuery(listOf('aggregate')).data;
  return useMemo(
    () => new Map([...(types?.items ?? []), ...(groups?.items ?? [])].map((t) => [t.id, t])),
    [types, groups],
  );
}

function listOf(kind: 'type' | 'aggregate') {
  const query = { kind, limit: 500 } as const;
  return {
    queryKey: keys.twins(query),
    queryFn: ({ signal }: { signal: AbortSignal }) =>
      ok(api.GET('/function/twins/twins', { params: { query }, signal })),
  };
}

/** The unit that a type declares for a property. */
export const unitIn = (type: Twin | undefined, property: string | undefined) =>
  type?.definition.model?.properties?.find((p) => p.name === property)?.unit;
