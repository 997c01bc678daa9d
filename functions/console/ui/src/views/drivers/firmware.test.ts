import { expect, it } from 'vitest';
import { cover } from './firmware';

it.each([
  ['', ''],
  ['', '<2'],
  ['>= 1.2 < 2', '>=1.2 <2'],
  ['>=1', '>=1.2 <2'],
  ['1.x', '>=1.2, <2'],
  ['^1.2', '~1.4'],
  ['^0.3.1', '0.3.7'],
  ['*', ''],
  ['>=0', ''],
  ['<=1.4', '<1.4.9'],
  ['<2 || >=3', '1.x || 3.1'],
  ['odd!', 'odd!'],
])('%j has all of %j', (by, range) => expect(cover([by], range)).toBe(true));

it.each([
  ['<2', ''],
  ['>=1.2', '>=1.1'],
  ['>1.2', '>=1.2.5'],
  ['^0.3.1', '0.4.0'],
  ['~1.2', '1.x'],
  ['<2 || >=3', '>=1'],
  ['1.2 - 1.4', '1.3'],
  ['>=1', '1.2 - 1.4'],
])('%j has not all of %j', (by, range) => expect(cover([by], range)).toBe(false));

it('counts ranges together', () => {
  expect(cover(['<2', '>=2'], '')).toBe(true);
  expect(cover(['>=2', '<1.9'], '')).toBe(false);
  expect(cover([], '1.x')).toBe(false);
});
