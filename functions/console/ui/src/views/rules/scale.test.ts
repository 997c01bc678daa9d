import { expect, test } from 'vitest';
import { aim, clockTicks, range, scale, ticks } from './scale';

test('a place is that of a value, and back', () => {
  const y = scale(0, 100, 200, 0);
  expect([y.at(0), y.at(50), y.at(100), y.of(100)]).toEqual([200, 100, 0, 50]);
});

test('the range has air, and zero where it is near', () => {
  expect(range([])).toEqual([0, 1]);
  expect(range([Number.NaN])).toEqual([0, 1]);
  expect(range([5, 100])[0]).toBe(0);
  expect(range([1000, 1100])).toEqual([986, 1114]);
  expect(range([0, 0])).toEqual([0, 1]);
  expect(range([-5, -5])).toEqual([-6, -4]);
});

test('ticks are round and few', () => {
  expect(ticks(0, 100, 5)).toEqual([0, 20, 40, 60, 80, 100]);
  expect(ticks(0.1, 0.42, 4)).toEqual([0.1, 0.2, 0.3, 0.4]);
  expect(ticks(-1, 1, 2)).toEqual([-1, 0, 1]);
});

test('what is dragged is a number that people would type', () => {
  expect(aim(81.23456, 0, 100)).toBe(81);
  expect(aim(0.123456, 0, 1)).toBe(0.125);
  expect(aim(123456.7, 0, 1e6)).toBe(125000);
});

test('times are round, few, and within', () => {
  const from = new Date(2026, 4, 3, 9, 17).getTime() / 1000;
  const minutesOf = (to: number, n: number) =>
    clockTicks(from, from + to, n).map((t) => new Date(t.at * 1000).getMinutes());
  expect(minutesOf(86_400, 8).every((m) => m === 0)).toBe(true);
  expect(clockTicks(from, from + 86_400, 8).length).toBeGreaterThan(5);
  expect(minutesOf(1800, 6)).toEqual([20, 25, 30, 35, 40, 45]);
  expect(clockTicks(from, from + 900, 4).length).toBeLessThanOrEqual(4);
});
