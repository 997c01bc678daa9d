import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Claim, Rejection } from '@/api/types';
import { live } from '@/live/live';
import { has, useUser } from '@/parts/useUser';

const most = 20; // runs that are shown
const pages = 5; // of runs that are looked through for the claim's

/** The ids of a claim's runs, the newest first: those there were, and those of its type that are heard of meanwhile. */
export function useRunsOf(claim: Claim): { ids: string[]; error: unknown } {
  const [heard, setHeard] = useState<string[]>([]);
  useEffect(
    () =>
      live.on('run', (e) => {
        if (e.type === claim.type) setHeard((old) => (old.includes(e.run) ? old : [e.run, ...old].slice(0, most)));
      }),
    [claim.type],
  );
  const read = useQuery({
    queryKey: keys.runs({ claim: claim.id }),
    queryFn: async ({ signal }) => {
      const ids: string[] = [];
      let cursor = '';
      for (let n = 0; n < pages; n++) {
        const query = { limit: 200, ...(cursor && { cursor }) };
        const page = await ok(api.GET('/function/twin-provision/runs', { params: { query }, signal }));
        for (const r of page.items) if (r.request.claim === claim.id) ids.push(r.id);
        cursor = page.next ?? '';
        if (!cursor || ids.length >= most) break;
      }
      return ids;
    },
  });
  const ids = [...new Set([...heard, ...(read.data ?? [])])].slice(0, most);
  return { ids, error: read.error };
}

/** Requests with a claim that never became a run. They are not told by the stream, so they are asked for every few seconds. */
export function useRejectionsOf(claim: Claim): Rejection[] {
  const may = has(useUser(), 'maintainer', 'configurator');
  const q = useQuery({
    queryKey: ['rejections', claim.id],
    enabled: may,
    refetchInterval: 4_000,
    queryFn: async ({ signal }) => {
      const query = { limit: 100 };
      const page = await ok(api.GET('/function/twin-provision/rejections', { params: { query }, signal }));
      return page.items.filter((r) => r.request.claim === claim.id).slice(0, 5);
    },
  });
  return q.data ?? [];
}
