import { describe, expect, test } from 'vitest';
import { parseCondition } from '@/parts/condition';
import { replay, type Step, suggest } from './replay';

/** One value a minute, measured in the middle of it. */
const minutes = (...values: (number | null)[]): Step[] =>
  values.flatMap((v, i) => (v === null ? [] : [{ at: i * 60 - 30, count: 1, min: v, max: v, last: v }]));

const spells = (condition: string, steps: Step[], now = 600) =>
  replay(parseCondition(condition)!, steps, 60, now).map((s) => [s.from, s.to, s.open]);

describe('a replay of the day', () => {
  test.each<[string, string, Step[], unknown]>([
    ['nothing measured raises nothing', 'a > 1', [], []],
    ['a value beyond raises at once', 'a > 80', minutes(10, 90, 20), [[60, 120, false]]],
    ['the line itself is not beyond', 'a > 80', minutes(80, 80), []],
    ['the line itself counts with >=', 'a >= 80', minutes(80, 70), [[0, 60, false]]],
    ['a breach that is shorter than its time raises nothing', 'a > 80 for 2m', minutes(90, 90, 10), []],
    ['a breach that is broken begins anew', 'a > 80 for 3m', minutes(90, 90, 10, 90, 90, 10), []],
    ['time counts from the breach', 'a > 80 for 90s', minutes(10, 90, 90, 90, 10), [[150, 240, false]]],
    [
      'silence does not end a breach, and lets its time pass',
      'a > 80 for 3m',
      minutes(90, null, null, null, 10),
      [[180, 240, false]],
    ],
    ['what is still so is open', 'a > 80 for 5m', minutes(10, 90), [[360, 600, true]]],
    ['what has not lasted yet is none', 'a > 80 for 1h', minutes(10, 90), []],
    ['hysteresis keeps the alarm', 'a > 80 clear 70', minutes(90, 75, 71, 70, 75), [[0, 180, false]]],
    ['hysteresis does not raise it', 'a > 80 clear 70', minutes(75, 75), []],
    ['downwards too', 'a < 5 clear 8', minutes(9, 4, 7, 8), [[60, 180, false]]],
    [
      'each time counts',
      'a > 80',
      minutes(90, 10, 90, 10),
      [
        [0, 60, false],
        [120, 180, false],
      ],
    ],
    ['equal', 'a == 1', minutes(0, 1, 0), [[60, 120, false]]],
    ['not equal', 'a != 1', minutes(1, 0, 1), [[60, 120, false]]],
  ])('%s', (_, condition, steps, want) => expect(spells(condition, steps)).toEqual(want));

  test('a peak within a step raises, and a dip within a step breaks', () => {
    expect(spells('a > 80', [{ at: 0, count: 9, min: 10, max: 95, last: 20 }])).toHaveLength(1);
    const dip = { at: 60, count: 9, min: 10, max: 95, last: 95 };
    const high = (at: number) => ({ at, count: 9, min: 90, max: 95, last: 92 });
    expect(spells('a > 80 for 2m', [high(0), dip, high(120)], 200)).toHaveLength(0);
  });

  test('a day of seconds is replayed within a drag', () => {
    const steps = Array.from({ length: 2880 }, (_, i) => ({
      at: i * 30,
      count: 30,
      min: i % 70,
      max: 20 + (i % 70),
      last: i % 80,
    }));
    const condition = parseCondition('a > 60 for 1m clear 50')!;
    // The best of some: the others tell how busy this machine is.
    const times = Array.from({ length: 7 }, () => {
      const began = performance.now();
      replay(condition, steps, 30, 86400);
      return performance.now() - began;
    });
    expect(Math.min(...times)).toBeLessThan(40);
  });
});

test('a suggestion is round and above most', () => {
  expect(suggest([])).toBeUndefined();
  expect(suggest(minutes(5, 5))).toBe(5);
  expect(suggest(minutes(0, 50, 100, 100, 100, 100))).toBe(90);
  const s = suggest(Array.from({ length: 100 }, (_, i) => ({ at: i, count: 1, min: i, max: i, last: i })))!;
  expect(s).toBeGreaterThanOrEqual(90);
  expect(s % 10).toBe(0);
  const gib = 2 ** 30;
  expect(suggest(minutes(gib, 2 * gib, 5.5 * gib, 5.6 * gib), 'By')! % gib).toBe(0);
});
