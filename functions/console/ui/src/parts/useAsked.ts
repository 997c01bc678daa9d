import { useQuery } from '@tanstack/react-query';
import { runs } from '@/api/reads';
import { has, useUser } from './useUser';

/** The runs that wait for people, at most 100; nobody decides who has no role for it. */
export function useAsked() {
  const may = has(useUser(), 'maintainer', 'configurator', 'owner');
  return useQuery({ ...runs({ open: 'true', awaits: 'people', limit: 100 }), enabled: may });
}
