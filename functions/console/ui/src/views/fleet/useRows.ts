import { keepPreviousData, useQueries, useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useState } from 'react';
import { api, ok } from '@/api/client';
import { ApiError } from '@/api/problem';
import { keys } from '@/api/queries';
import type { Twin } from '@/api/types';
import { known, pageSize } from './chain';
import { type Ends, find, learnOf, newEnds, type PageOf, reversed, rows, type Way, wanted, wayTo } from './ends';
import type { TwinQuery } from './useFilters';

/** What a table of twins is drawn from. */
export interface Rows {
  total: number;
  /** How many there are, as far as is known. */
  count: number;
  /** There are more than `count`. */
  more: boolean;
  at: (row: number) => Twin | undefined;
  /** What is read before the rows in sight can be; undefined where they are there, or next. */
  way: Way | undefined;
  /** Tells which rows are in sight, so that they are read. */
  see: (first: number, last: number) => void;
  /** The rows are still those of the query before. */
  changing: boolean;
  loading: boolean;
  error: unknown;
  retry: () => void;
}

const far = 1_000; // rows: what is nearer is there sooner than one could read how far it is
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

/**
 * The twins that a query finds, of which only the pages in sight are read. `counted` is how many there should be, `more` that there
 * are more than that. Old rows stay until the first new ones are there.
 */
export function useRows(asked: TwinQuery, counted: number | undefined, more: boolean): Rows {
  const queries = useQueryClient();
  const [query, setQuery] = useState(asked);
  const first = useQuery({ ...options(asked), enabled: query !== asked });
  if (query !== asked && !first.isPending) setQuery(asked);

  // Kept with the answers, so that whoever comes back finds the place where they were.
  const name = ['ends', query];
  const [of, setOf] = useState<{ query: TwinQuery; ends: Ends }>();
  const kept = of?.query === query ? of.ends : (queries.getQueryData<Ends>(name) ?? newEnds);
  const [sight, setSight] = useState<[number, number]>([0, 40]);
  const pages = wanted(kept, counted, ...sight);

  const orders = { top: query, end: reversed(query) };
  const cursor = ({ side, page }: PageOf) => kept[side]?.cursors[page];
  const read = useQueries({ queries: pages.map((p) => options(orders[p.side], cursor(p), p.page)) });
  // At once, and not when this was drawn: the rows and their number must be of the same moment.
  let ends = more && kept.end ? { ...kept, end: undefined } : kept;
  for (const [i, page] of pages.entries()) {
    const { data, error } = read[i]!;
    if (data) ends = learnOf(ends, page, cursor(page)!, data.items.length, data.next);
    else if (page.side === 'end' && refused(error)) ends = { ...ends, end: undefined };
  }
  useEffect(() => {
    if (ends === kept) return;
    queries.setQueryData(name, ends);
    setOf({ query, ends });
  });

  const see = useCallback((from: number, to: number) => {
    // In steps, so that most scrolling changes nothing here.
    const next: [number, number] = [Math.floor(from / 20) * 20, Math.ceil(to / 20) * 20];
    setSight((old) => (old[0] === next[0] && old[1] === next[1] ? old : next));
  }, []);

  const found = new Map(pages.map((p, i) => [`${p.side} ${p.page}`, read[i]?.data?.items]));
  const failed =
    read.find((r, i) => r.isError && !r.data && ends[pages[i]!.side]) ?? (first.isError ? first : undefined);
  const started = ends.top !== newEnds.top;
  const sure = known(ends.top);
  const way = wayTo(ends, counted, ...sight);
  return {
    total: started ? rows(ends, counted) : 0,
    count: ends.top.ended ? sure : Math.max(counted ?? 0, sure),
    more: !ends.top.ended && (more || counted === undefined || counted < sure),
    at: (row) => {
      const p = find(ends, counted, row);
      return p && found.get(`${p.side} ${p.page}`)?.[p.at];
    },
    way: way && way.of - way.read > far ? way : undefined,
    see,
    changing: query !== asked,
    loading: !started && !failed,
    error: failed?.error,
    retry: () => void queries.refetchQueries({ queryKey: ['twins'], type: 'active' }),
  };
}

/** An answer that stays what it is: the platform does not sort so many for this person. */
const refused = (error: unknown) => error instanceof ApiError && error.status === 400;
