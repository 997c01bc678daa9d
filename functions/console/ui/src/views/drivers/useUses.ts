import type { Twin } from '@/api/types';
import { useKinds } from '@/parts/useKinds';

/** The driver that a type names; '' = none. */
export const driverOf = (type: Twin): string => type?.definition.model?.driver ?? '';

/** The types that name a driver. */
export function useUses(driver: string): Twin[] {
  return [...useKinds().values()].filter((t) => t.kind === 'type' && driverOf(t) === driver);
}
