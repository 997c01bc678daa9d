import { useQuery } from '@tanstack/react-query';
import { api, ok } from '@/api/client';
import { has, useUser } from './useUser';

/** Why what changes a twin is not offered, where `useMayWrite` says no. */
export const mayNotWrite = 'Only who may write it: its group’s owners and configurators, and who was granted it.';

/**
 * Whether the person may change a twin of any kind, and what is set on it. Role and group tell it where `owner`, the twin's group,
 * is known; else the platform is asked, once in five minutes. Until it has answered, yes: it is the platform that decides.
 */
export function useMayWrite(twin: string, owner?: string): boolean {
  const user = useUser();
  const own = !!owner && has(user, 'owner', 'configurator') && !!user?.groups?.includes(owner);
  const sure = has(user, 'maintainer') || own;
  const { data } = useQuery({
    queryKey: ['may', twin],
    enabled: !!user && !sure && twin !== '',
    staleTime: 5 * 60_000,
    retry: false,
    queryFn: ({ signal }) =>
      ok(api.POST('/function/authorization/check', { body: { object: `twin:${twin}`, right: 'write' }, signal })),
  });
  return sure || (data?.allowed ?? true);
}
