import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ago, axisTime, dayTime, plural, said, unitSign } from './format';

beforeEach(() => void vi.useFakeTimers({ now: new Date(2026, 5, 1, 12) }));
afterEach(() => void vi.useRealTimers());

test('a time of another year shows the year', () => {
  expect(dayTime(new Date(2026, 0, 2, 3, 4))).not.toMatch(/20\d\d/);
  expect(dayTime(new Date(2025, 11, 31, 3, 4))).toMatch(/2025/);
  expect(ago(new Date(2025, 11, 31).getTime(), Date.now())).toMatch(/2025/);
  expect(axisTime(new Date(2025, 11, 31).getTime() / 1000, 86_400)).toMatch(/2025/);
});

test('what is young is said by its age', () => {
  expect(ago(Date.now() - 61_000, Date.now())).toBe('1 min ago');
  expect(ago(Date.now() - 2 * 86_400_000, Date.now())).toBe('2 d ago');
});

test('one is not many', () => {
  expect([plural(0, 'device'), plural(1, 'device'), plural(2, 'device')]).toEqual([
    '0 devices',
    '1 device',
    '2 devices',
  ]);
});

test('a unit that is called like a part of every object is a unit like another', () => {
  for (const unit of ['__proto__', 'constructor', 'toString']) {
    expect(unitSign(unit)).toBe(unit);
    expect(said(3, unit)).toBe(`3 ${unit}`);
  }
  expect(unitSign('Cel')).toBe('°C');
});
