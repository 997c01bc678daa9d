import { describe, expect, it } from 'vitest';
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
