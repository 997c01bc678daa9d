import { useQuery } from '@tanstack/react-query';
import { api, ok } from '@/api/client';
import { has, useUser } from '@/parts/useUser';

/** The groups for which a person may enrol: all there are, or the own ones. */
export function useGroups(): {
  groups: string[];
  mayMake: boolean;
  pending: boolean;
  error: unknown;
  retry: () => void;
} {
  const user = useUser();
  const all = has(user, 'maintainer', 'configurator');
  const q = useQuery({
    queryKey: ['groups'],
    enabled: all,
    queryFn: ({ signal }) => ok(api.GET('/function/users/groups', { params: { query: { limit: 1000 } }, signal })),
  });
  const own = user?.groups ?? [];
  const others = (all && q.data?.items.map((g) => g.id).filter((g) => !own.includes(g))) || [];
  return {
    groups: [...own, ...others],
    mayMake: has(user, 'maintainer'),
    pending: all && q.isPending,
    error: q.error,
    retry: () => void q.refetch(),
  };
}
