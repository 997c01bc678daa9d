import { has, useUser } from '@/parts/useUser';

/**
 * Whether the person may publish and change a driver of an owner; '' is the platform's, undefined a new one. It is the platform that
 * decides; this only keeps from offering what it would refuse.
 */
export function useMayPublish(owner: string | undefined): boolean {
  const user = useUser();
  if (has(user, 'maintainer')) return true;
  return has(user, 'configurator', 'developer') && !!owner && !!user?.groups?.includes(owner);
}
