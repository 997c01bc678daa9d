import { keepPreviousData, useQueries, useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useState } from 'react';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Twin } from '@/api/types';
import { type Chain, known, learn, newChain, pageSize, place, rows, wanted } from './chain';
import type { TwinQuery } from './useFilters';

/** What a table of twins is drawn from. */
export interface Rows {
  total: number;
  /** How many there are, as far as is known. */
  count: number;
  /** There are more than `count`. */
  more: boolean;
  at: (row: number) => Twin | undefined;
  /** Tells which rows are in sight, so that they are read. */
  see: (first: number, last: number) => void;
  /** The rows are still those of the query before. */
  changing: boolean;
  loading: boolean;
  error: unknown;
  retry: () => void;
}

const again = 15_000; // presence also changes without an event: somebody fell silent

const options = (query: TwinQuery, cursor = '', page = 0) => ({
  queryKey: keys.twins({ ...query, cursor }),
  queryFn: ({ signal }: { signal: AbortSignal }) =>
    ok(
      api.GET('/function/twins/twins', {
        params: { query: { ...query, view: 'row', limit: pageSize(page), ...(cursor && { cursor }) } },
        signal,
      }),
    ),
  gcTime: 60_000,
  refetchInterval: again,
});

/** How many twins a query finds, of each kind: what figures show, and the table's length. */
export function useCounts(query: TwinQuery = {}) {
  const { sort: _, readings: __, kind: ___, ...filters } = query;
  const all = Object.keys(filters).length === 0;
  return useQuery({
    // All twins are counted by indexes, at each change; what filters leave has to be gone through, which is not done as often.
    queryKey: all ? keys.counts(filters) : ['counted', filters],
    queryFn: ({ signal }) => ok(api.GET('/function/twins/counts', { params: { query: filters }, signal })),
    refetchInterval: all ? again : 4 * again,
    placeholderData: all ? keepPreviousData : undefined,
  });
}

/** The twins that a query finds, of which only the pages in sight are read. Old rows stay until the first new ones are there. */
export function useRows(asked: TwinQuery, counted: number | undefined, more: boolean): Rows {
  const queries = useQueryClient();
  const [query, setQuery] = useState(asked);
  const first = useQuery({ ...options(asked), enabled: query !== asked });
  if (query !== asked && !first.isPending) setQuery(asked);

  // Kept with the answers, so that whoever comes back finds the place where they were.
  const name = ['chain', query];
  const [of, setOf] = useState<{ query: TwinQuery; chain: Chain }>();
  const kept = of?.query === query ? of.chain : (queries.getQueryData<Chain>(name) ?? newChain);
  const [sight, setSight] = useState<[number, number]>([0, 40]);
  const pages = wanted(kept, ...sight);

  const read = useQueries({ queries: pages.map((p) => options(query, kept.cursors[p], p)) });
  // At once, and not when this was drawn: the rows and their number must be of the same moment.
  let chain = kept;
  for (const [i, page] of pages.entries()) {
    const data = read[i]?.data;
    if (data) chain = learn(chain, page, kept.cursors[page]!, data.items.length, data.next);
  }
  useEffect(() => {
    if (chain === kept) return;
    queries.setQueryData(name, chain);
    setOf({ query, chain });
  });

  const see = useCallback((from: number, to: number) => {
    // In steps, so that most scrolling changes nothing here.
    const next: [number, number] = [Math.floor(from / 20) * 20, Math.ceil(to / 20) * 20];
    setSight((old) => (old[0] === next[0] && old[1] === next[1] ? old : next));
  }, []);

  const found = new Map(pages.map((p, i) => [p, read[i]?.data?.items]));
  const failed = read.find((r) => r.isError && !r.data) ?? (first.isError ? first : undefined);
  const started = chain !== newChain;
  return {
    total: started ? rows(chain, counted ?? 0) : 0,
    count: chain.ended ? known(chain) : Math.max(counted ?? 0, known(chain)),
    more: !chain.ended && (more || counted === undefined || counted < known(chain)),
    at: (row) => {
      const p = place(chain, row);
      return p && found.get(p.page)?.[p.at];
    },
    see,
    changing: query !== asked,
    loading: !started && !failed,
    error: failed?.error,
    retry: () => void queries.refetchQueries({ queryKey: ['twins'], type: 'active' }),
  };
}
