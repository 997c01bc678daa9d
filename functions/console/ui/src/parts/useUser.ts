import { useSyncExternalStore } from 'react';
import { session } from '@/api/session';
import type { Role, User } from '@/api/types';

/** Who is signed in; undefined: nobody. */
export function useUser(): User | undefined {
  return useSyncExternalStore(session.subscribe, () => session.get()?.user);
}

/** Whether a user has one of the roles. The platform decides; this only keeps from offering what it would refuse. */
export const has = (user: User | undefined, ...roles: Role[]): boolean => !!user?.roles?.some((r) => roles.includes(r));
