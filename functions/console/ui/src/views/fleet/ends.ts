// A list of known length is read from both its ends: one chain begins with the first row, the other, of the list in reversed order,
// with the last one. What is far below is as near as what is far above then, and nothing is further away than half the list.
import { ahead, type Chain, known, learn, near, newChain, place } from './chain';
import type { TwinQuery } from './useFilters';

/** What is known of a list from its ends. */
export interface Ends {
  top: Chain;
  /** Undefined where nobody knows how long the list is, or the platform refuses to have it in reversed order. */
  end: Chain | undefined;
}

export const newEnds: Ends = { top: newChain, end: newChain };

/** A page of the chain that begins at one of the ends. */
export interface PageOf {
  side: keyof Ends;
  page: number;
}

/** How far the reading of what lies before some rows has come, from the end that is nearer to them. */
export interface Way {
  side: keyof Ends;
  read: number;
  of: number;
}

/** The query that finds the same twins in reversed order. */
export function reversed(query: TwinQuery): TwinQuery {
  const sort = query.sort || 'id';
  return { ...query, sort: (sort.startsWith('-') ? sort.slice(1) : `-${sort}`) as TwinQuery['sort'] };
}

/** Takes in that a page was read, as `learn` does. */
export function learnOf(ends: Ends, { side, page }: PageOf, cursor: string, length: number, next?: string): Ends {
  const before = ends[side];
  const after = before && learn(before, page, cursor, length, next);
  return after === before ? ends : { ...ends, [side]: after };
}

/** Rows that the list has as far as one can tell: `counted` says how many there should be, undefined that nobody knows. */
export function rows({ top }: Ends, counted = 0): number {
  const sure = known(top);
  return top.ended ? sure : Math.max(counted, sure + 1);
}

/** The first row that is known from the end; beyond all where the end is of no use, or the count was proved wrong. */
function reach({ top, end }: Ends, counted = 0): number {
  return end && !top.ended && counted > known(top) ? counted - known(end) : Number.POSITIVE_INFINITY;
}

/** The way to rows first to last; undefined where they and those around them are known. */
export function wayTo(ends: Ends, counted: number | undefined, first: number, last: number): Way | undefined {
  const all = rows(ends, counted);
  const [from, to] = [Math.min(first, all - 1), Math.min(last, all - 1)];
  const below = known(ends.top);
  const above = reach(ends, counted);
  if (ends.top.ended || below >= above || to + ahead < below || from - ahead >= above) return undefined;
  // The beginning comes first: it tells whether there is anything at all.
  if (ends.top.lengths.length > 0 && !ends.end?.ended && to - below > above - from)
    return { side: 'end', read: all - above, of: all - from };
  return { side: 'top', read: below, of: to + 1 };
}

/** The pages to be read so that rows first to last can be seen: those around them, and the next one on the way there. */
export function wanted(ends: Ends, counted: number | undefined, first: number, last: number): PageOf[] {
  const pages = near(ends.top, first, last).map((page): PageOf => ({ side: 'top', page }));
  const above = reach(ends, counted);
  if (ends.end && last + ahead >= above) {
    const lowest = rows(ends, counted) - 1;
    const behind = near(ends.end, lowest - last, lowest - Math.max(first, known(ends.top)));
    pages.push(...behind.map((page): PageOf => ({ side: 'end', page })));
  }
  const side = wayTo(ends, counted, first, last)?.side;
  if (side) pages.push({ side, page: ends[side]?.lengths.length ?? 0 });
  return pages;
}

/** Where a row is: in the chain from the top, or else in that from the end; nowhere while it is not known. */
export function find(ends: Ends, counted: number | undefined, row: number): (PageOf & { at: number }) | undefined {
  const down = place(ends.top, row);
  if (down) return { side: 'top', ...down };
  if (!ends.end || row < reach(ends, counted)) return undefined;
  const up = place(ends.end, rows(ends, counted) - 1 - row);
  return up && { side: 'end', ...up };
}
