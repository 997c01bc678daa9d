import { useQuery } from '@tanstack/react-query';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Twin } from '@/api/types';

/** The type of a twin, which knows units and ranges; undefined where it has none or it may not be read. */
export function useTypeOf(t: Twin): Twin | undefined {
  const id = t.definition.type ?? '';
  const { data } = useQuery({
    queryKey: keys.twin(id),
    queryFn: ({ signal }) => ok(api.GET('/function/twins/twins/{id}', { params: { path: { id } }, signal })),
    enabled: id !== '',
    staleTime: 60_000,
  });
  return data;
}
