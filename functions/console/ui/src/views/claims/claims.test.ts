import { describe, expect, it } from 'vitest';
import type { Claim } from '@/api/types';
import { letsIn, matches } from './claims';
import { claimsOf, faultsOf, first, serialsIn, type Wish } from './wish';

const wish = (change: Partial<Wish>): Wish => ({ ...first, type: 'pump', owner: 'press', ...change });

describe('a new claim', () => {
  it('reads serials as they are pasted, each once', () => {
    expect(serialsIn('P-1\r\nP-2;P-1\n"P 3",\n\n')).toEqual(['P-1', 'P-2', 'P 3']);
  });
  it('says what is wrong, by field', () => {
    expect(faultsOf({ ...first })).toMatchObject({ type: expect.any(String), owner: expect.any(String) });
    expect(faultsOf(wish({ whom: 'named', serials: '../x' })).serials).toContain('cannot be a serial');
    expect(faultsOf(wish({ whom: 'labels', serials: 'P-1' })).batch).toBeTruthy();
    expect(faultsOf(wish({ whom: 'any', uses: '1.5' })).uses).toBeTruthy();
    expect(faultsOf(wish({ pattern: 'P-*', batch: 'lot 42' })).batch).toBeTruthy();
    expect(faultsOf(wish({ pattern: 'P-*', batch: 'lot-42' }))).toEqual({});
  });
  it('is one for all named serials, or one for each label', () => {
    expect(claimsOf(wish({ whom: 'named', serials: 'P-1\nP-2', note: ' n ' }))).toEqual([
      { type: 'pump', owner: 'press', expires: '24h', note: 'n', identities: ['P-1', 'P-2'] },
    ]);
    const labels = claimsOf(wish({ whom: 'labels', serials: 'P-1\nP-2', batch: 'lot', uses: '9' }));
    expect(labels.map((c) => [c.serials, c.maxUses, c.batch])).toEqual([
      ['P-1', 1, 'lot'],
      ['P-2', 1, 'lot'],
    ]);
  });
});

describe('the claims', () => {
  const c = {
    id: 'claim-1',
    type: 'pump',
    owner: 'press',
    serials: 'P-1?[0-9]*',
    batch: 'lot-42',
    by: 'user:ada',
  } as Claim;
  it('are found by what they say, and by a serial that they let in', () => {
    expect(['CLAIM-1', 'pump lot-', 'P-1?', 'P-1x7-b'].map((x) => matches(c, x))).toEqual([true, true, true, true]);
    expect(['pump lot-43', 'P-1x', 'xP-1x7'].map((x) => matches(c, x))).toEqual([false, false, false]);
    expect(matches({ ...c, serials: '*' }, 'Q-9')).toBe(false); // what lets everybody in says nothing of anybody
  });
  it('take what is meant as it stands, and no pattern that is none', () => {
    expect(letsIn('A\\*1', 'A*1')).toBe(true);
    expect(letsIn('A\\*1', 'AB1')).toBe(false);
    expect(letsIn('A.(1)+', 'A.(1)+')).toBe(true);
    expect(letsIn('A*', 'A/1')).toBe(false);
    for (const bad of ['[z-a]', '[', 'a\\', '[[]', '(']) expect(letsIn(bad, 'serial')).toBe(false);
  });
});
