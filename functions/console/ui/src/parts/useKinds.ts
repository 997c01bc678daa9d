import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { twins } from '@/api/reads';
import type { Twin } from '@/api/types';

/** The types and groups by id: whatever else is named is a device. */
export function useKinds(): Map<string, Twin> {
  const types = useQuery(twins({ kind: 'type', limit: 500 })).data;
  const groups = useQuery(twins({ kind: 'aggregate', limit: 500 })).data;
  return useMemo(
    () => new Map([...(types?.items ?? []), ...(groups?.items ?? [])].map((t) => [t.id, t])),
    [types, groups],
  );
}

/** The unit that a type declares for a property. */
export const unitIn = (type: Twin | undefined, property: string | undefined) =>
  type?.definition.model?.properties?.find((p) => p.name === property)?.unit;
