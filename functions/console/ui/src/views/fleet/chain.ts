// A long list that the platform hands out page by page, each page naming the next. The chain remembers where pages begin, so that
// only those in sight are read, and read again, however many came before them.

/** Rows asked for at a time: few where most people are, more on the way to far below. */
export const pageSize = (page: number) => (page < 20 ? 200 : 500);

/** Rows that are read before they come in sight, to both sides. */
export const ahead = 100;

export interface Chain {
  /** Where each known page begins; one more than there are lengths, unless the end is known. */
  cursors: readonly string[];
  /** How many rows each page had; a page may be short, even empty, and still have a next one. */
  lengths: readonly number[];
  /** The last page has no next one. */
  ended: boolean;
}

export const newChain: Chain = { cursors: [''], lengths: [], ended: false };

/**
 * Takes in that a page was read. Where its next page now begins elsewhere (a twin came or went), what was known of the pages after it
 * does not hold any more. Returns the same chain if nothing is new.
 */
export function learn(chain: Chain, page: number, cursor: string, length: number, next = ''): Chain {
  if (chain.cursors[page] !== cursor) return chain; // of before the chain changed
  const before = chain.lengths.slice(0, page);
  if (before.length < page) return chain;
  if (next === '') {
    if (chain.ended && chain.lengths.length === page + 1 && chain.lengths[page] === length) return chain;
    return { cursors: chain.cursors.slice(0, page + 1), lengths: [...before, length], ended: true };
  }
  if (chain.cursors[page + 1] === next) {
    if (chain.lengths[page] === length) return chain;
    return { ...chain, lengths: chain.lengths.map((n, i) => (i === page ? length : n)) };
  }
  return { cursors: [...chain.cursors.slice(0, page + 1), next], lengths: [...before, length], ended: false };
}

/** Rows that are known to be there. */
export const known = (chain: Chain) => chain.lengths.reduce((sum, n) => sum + n, 0);

/** The known pages with rows first to last, and those around them. */
export function near(chain: Chain, first: number, last: number): number[] {
  const pages: number[] = [];
  let start = 0;
  for (const [page, n] of chain.lengths.entries()) {
    if (start < last + ahead && start + n > first - ahead) pages.push(page);
    start += n;
  }
  return pages;
}

/** Where a row is; a row beyond what is known is nowhere yet. */
export function place(chain: Chain, row: number): { page: number; at: number } | undefined {
  let start = 0;
  for (const [page, n] of chain.lengths.entries()) {
    if (row < start + n) return { page, at: row - start };
    start += n;
  }
  return undefined;
}
