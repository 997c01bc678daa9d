import { useQuery } from '@tanstack/react-query';
import { oneTwin } from '@/api/reads';
import type { Twin } from '@/api/types';

/** The type of a twin (a type is its own), which knows units and ranges; undefined where it has none or it may not be read. `known`: that is settled. */
export function useTypeOf(t: Twin): { type?: Twin; known: boolean } {
  const id = t.kind === 'type' ? t.id : (t.definition.type ?? '');
  const { data, isPending } = useQuery({ ...oneTwin(id), staleTime: 60_000 });
  return { type: data, known: id === '' || !isPending };
}
