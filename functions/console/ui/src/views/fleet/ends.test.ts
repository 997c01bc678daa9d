import { describe, expect, it } from 'vitest';
import { type Ends, find, learnOf, newEnds, reversed, rows, wanted, wayTo } from './ends';

const many = 100_000;

/** Ends of which full pages are known, as reading along them makes them. */
function walked(top: number, end = 0): Ends {
  let ends = newEnds;
  for (const [side, pages] of [
    ['top', top],
    ['end', end],
  ] as const)
    for (let page = 0; page < pages; page++)
      ends = learnOf(ends, { side, page }, ends[side]!.cursors[page]!, 200, `${side}${page + 1}`);
  return ends;
}
const top = (...pages: number[]) => pages.map((page) => ({ side: 'top', page }));
const end = (...pages: number[]) => pages.map((page) => ({ side: 'end', page }));

describe('a list read from its ends', () => {
  it('begins with its first page, whatever is in sight', () => {
    expect(wanted(newEnds, undefined, 0, 40)).toEqual(top(0));
    expect(wanted(newEnds, many, 0, 40)).toEqual(top(0));
    expect(wanted(newEnds, many, 99_980, 100_000)).toEqual(top(0));
    expect(wanted(newEnds, 0, 0, 40)).toEqual(top(0));
  });

  it('is asked for its last rows at once, in reversed order', () => {
    expect(wanted(walked(1), many, 99_960, 100_000)).toEqual(end(0));
    const ends = walked(1, 1);
    expect(find(ends, many, 99_999)).toEqual({ side: 'end', page: 0, at: 0 });
    expect(find(ends, many, 99_800)).toEqual({ side: 'end', page: 0, at: 199 });
    expect(find(ends, many, 99_799)).toBeUndefined();
    expect(find(ends, many, 199)).toEqual({ side: 'top', page: 0, at: 199 });
    expect(wanted(ends, many, 99_960, 100_000)).toEqual(end(0));
    expect(wanted(ends, many, 99_860, 99_880)).toEqual(end(0, 1)); // ahead, upwards
  });

  it('reaches what lies between from the nearer side', () => {
    expect(wanted(walked(3, 1), many, 40_000, 40_020)).toEqual(top(3));
    expect(wanted(walked(3, 1), many, 60_000, 60_020)).toEqual(end(1));
    expect(wayTo(walked(3, 1), many, 40_000, 40_020)).toEqual({ side: 'top', read: 600, of: 40_021 });
    expect(wayTo(walked(3, 1), many, 60_000, 60_020)).toEqual({ side: 'end', read: 200, of: 40_000 });
    expect(wayTo(walked(3, 1), many, 0, 40)).toBeUndefined();
  });

  it('has each row once where the chains meet, and reads no more then', () => {
    const ends = walked(2, 2); // 0-399, 300-699 of 700
    const places = Array.from({ length: 700 }, (_, row) => find(ends, 700, row)!);
    expect(places.filter((p) => p.side === 'top')).toHaveLength(400);
    expect(places.slice(400).map((p) => p.page * 200 + p.at)).toEqual(Array.from({ length: 300 }, (_, i) => 299 - i));
    expect(wanted(ends, 700, 380, 420)).toEqual([...top(1), ...end(0, 1)]);
    expect(wayTo(ends, 700, 380, 420)).toBeUndefined();
  });

  it('is walked from its beginning where the end is refused, or nobody knows where it is', () => {
    expect(wanted({ ...walked(3), end: undefined }, many, 99_960, 100_000)).toEqual(top(3));
    expect(wanted(walked(3), undefined, 99_960, 100_000)).toEqual(top(3));
  });

  it('believes its chain rather than the count', () => {
    expect(rows(newEnds, many)).toBe(many);
    expect(rows(walked(2), 150)).toBe(401);
    expect(wanted(walked(2, 1), 150, 380, 400)).toEqual(top(1, 2)); // more than were counted: on from the top
    const over = learnOf(walked(1, 1), { side: 'top', page: 1 }, 'top1', 30);
    expect(rows(over, many)).toBe(230);
    expect(find(over, many, 230)).toBeUndefined();
    expect(wanted(over, many, 99_960, 100_000)).toEqual([]);
    // Counted were far more than there are: the end's chain is through with all of them.
    const through = learnOf(walked(1, 1), { side: 'end', page: 1 }, 'end1', 30);
    expect(wanted(through, many, 50_000, 50_020)).toEqual(top(1));
  });

  it('is reversed by its sort', () => {
    expect(reversed({ kind: 'instance', q: 'a' })).toEqual({ kind: 'instance', q: 'a', sort: '-id' });
    expect(reversed({ sort: '-lastSeen' }).sort).toBe('lastSeen');
    expect(reversed({ sort: 'name' }).sort).toBe('-name');
  });
});
