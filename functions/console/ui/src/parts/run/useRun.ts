import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { keys } from '@/api/queries';
import { oneRun } from '@/api/reads';
import type { Run } from '@/api/types';
import { live } from '@/live/live';
import { withSteps } from './progress';

/** A run with its log. Steps appear as they are taken; the run is read again right after (live/refresh.ts). */
export function useRun(id: string) {
  const queries = useQueryClient();
  useEffect(
    () =>
      live.on('run', (e) => {
        if (e.run === id) queries.setQueryData<Run>(keys.run(id), (old) => old && withSteps(old, e.steps));
      }),
    [id, queries],
  );
  return useQuery(oneRun(id));
}
