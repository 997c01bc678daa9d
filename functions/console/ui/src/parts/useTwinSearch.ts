import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { twins } from '@/api/reads';
import type { Twin } from '@/api/types';
import { useRested } from './useRested';

/** Twins by what is typed, of any kind unless one is named. `stale`: they are those of what was typed before. */
export function useTwinSearch(
  typed: string,
  limit: number,
  enabled: boolean,
  kind?: Twin['kind'],
): { found: Twin[]; stale: boolean } {
  const q = useRested(typed);
  const read = useQuery({
    ...twins({ q, limit, view: 'row', ...(kind && { kind }) }),
    enabled,
    placeholderData: keepPreviousData,
  });
  return {
    found: read.data?.items ?? [],
    stale: enabled && (q !== typed.trim() || read.isPlaceholderData || read.isLoading),
  };
}
