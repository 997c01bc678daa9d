import { describe, expect, test } from 'vitest';
import {
  conditionText,
  conditionWords,
  duration,
  durationWords,
  occurrenceWords,
  parseCondition,
  seconds,
} from './condition';

describe('a condition', () => {
  test.each([
    ['cpu.percent > 80 for 1m clear 70', { property: 'cpu.percent', op: '>', value: 80, for: 60, clear: 70 }],
    ['rpm<100', { property: 'rpm', op: '<', value: 100, for: 0 }],
    [' a >= -1.5e3 for 1h30m clear < -2e3 ', { property: 'a', op: '>=', value: -1500, for: 5400, clear: -2000 }],
    ['door == 1 for 500ms', { property: 'door', op: '==', value: 1, for: 0.5 }],
    ['温度 != 0', { property: '温度', op: '!=', value: 0, for: 0 }],
  ])('%s is read', (text, want) => expect(parseCondition(text)).toEqual(want));

  test.each([
    '',
    'cpu',
    'cpu > hot',
    'cpu > 1 for soon',
    'cpu > 1 for 5',
    'a b > 1',
    'a > 1 clear x',
    'cpu > Infinity',
  ])('%s is none', (text) => expect(parseCondition(text)).toBeUndefined());

  test.each(['cpu.percent > 80 for 1m clear 70', 'rpm < 100', 'a <= -0.5 for 1h0m30s', 'b != 0 for 250ms clear 1'])(
    '%s is written as it was read',
    (text) => expect(conditionText(parseCondition(text)!)).toBe(text),
  );

  test('is said in words, with the unit', () => {
    expect(conditionWords(parseCondition('t > 80 for 90s clear 70')!, 'Cel')).toBe(
      'is above 80 °C for 1 min 30 s, clears at 70 °C',
    );
    expect(conditionWords(parseCondition('t < 5')!)).toBe('is below 5');
  });
});

test('durations are those of Go', () => {
  expect([seconds('1h30m'), seconds('1.5s'), seconds('0'), seconds('250ms')]).toEqual([5400, 1.5, 0, 0.25]);
  expect([seconds('5'), seconds('-5s'), seconds(''), seconds('5 m')]).toEqual([NaN, NaN, NaN, NaN]);
  expect([duration(5400), duration(60), duration(3600), duration(3630), duration(1.5), duration(0)]).toEqual([
    '1h30m',
    '1m',
    '1h',
    '1h0m30s',
    '1.5s',
    '0s',
  ]);
  expect([durationWords(45), durationWords(5400), durationWords(86400 * 2 + 3600), durationWords(0)]).toEqual([
    '45 s',
    '1 h 30 min',
    '2 d 1 h',
    '0 s',
  ]);
});

test('what happened is said in the same words as the rule', () => {
  const unitOf = (property: string) => (property === 'cpu.percent' ? '%' : undefined);
  const said = (what: string) => occurrenceWords(what, unitOf);
  expect(said('alarm raised: cpu.percent > 90 for 1m clear 80')).toBe(
    'alarm raised: cpu.percent is above 90 % for 1 min, clears at 80 %',
  );
  expect(said('alarm cleared: pump runs hot')).toBe('alarm cleared: pump runs hot');
  expect(said('event: cpu.percent > 90')).toBe('event: cpu.percent > 90');
});
