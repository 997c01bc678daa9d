import { describe, expect, it } from 'vitest';
import { type Chain, known, learn, near, newChain, place } from './chain';

/** A chain of full pages, as reading along it makes one. */
function walked(pages: number): Chain {
  let c = newChain;
  for (let i = 0; i < pages; i++) c = learn(c, i, c.cursors[i]!, 200, `c${i + 1}`);
  return c;
}

describe('chain', () => {
  it('has only pages in sight and around it, far from the beginning', () => {
    expect(near(newChain, 0, 20)).toEqual([]);
    expect(near(walked(2), 0, 20)).toEqual([0]);
    expect(near(walked(2), 90, 110)).toEqual([0, 1]);
    expect(near(walked(50), 5_020, 5_050)).toEqual([24, 25]);
    expect(near(walked(3), 50_000, 50_030)).toEqual([]);
  });

  it('goes on over empty pages and ends where there is no next one', () => {
    let c = learn(newChain, 0, '', 0, 'a');
    expect(near(c, 0, 20)).toEqual([0]);
    c = learn(c, 1, 'a', 7);
    expect(c.ended).toBe(true);
    expect(known(c)).toBe(7);
    expect(place(c, 3)).toEqual({ page: 1, at: 3 });
    expect(place(c, 7)).toBeUndefined();
  });

  it('stays the same when a page is read again and nothing changed', () => {
    const c = walked(3);
    expect(learn(c, 1, 'c1', 200, 'c2')).toBe(c);
    const end = learn(c, 3, 'c3', 5);
    expect(learn(end, 3, 'c3', 5)).toBe(end);
  });

  it('forgets what came after a page whose next one begins elsewhere', () => {
    const c = learn(walked(3), 0, '', 200, 'moved');
    expect(c.cursors).toEqual(['', 'moved']);
    expect(known(c)).toBe(200);
    expect(learn(c, 2, 'c2', 200, 'c3')).toBe(c); // an answer from before
  });
});
