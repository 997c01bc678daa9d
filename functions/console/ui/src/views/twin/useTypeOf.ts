import { useQuery } from '@tanstack/react-query';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Twin } from '@/api/types';

/** The type of a twin, which knows units and ranges; undefined where it has none or it may not be read. `known`: that is settled. */
export function useTypeOf(t: Twin): { type?: Twin; known: boolean } {
  const id = t.definition.type ?? '';
  const { data, isPending } = useQuery({
    queryKey: keys.twin(id),
    queryFn: ({ signal }) => ok(api.GET('/function/twins/twins/{id}', { params: { path: { id } }, signal })),
    enabled: id !== '',
    staleTime: 60_000,
  });
  return { type: data, known: id === '' || !isPending };
}
