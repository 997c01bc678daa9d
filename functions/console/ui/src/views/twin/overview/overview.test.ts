import { describe, expect, it } from 'vitest';
import { room, type Threshold } from '@/parts/Chart.thresholds';
import { axisValue, quantity } from '@/parts/format';
import { columns, fold, type Step } from './history';
import { propertiesOf } from './properties';
import { spansOf } from './states';
import { thresholdsOf } from './thresholds';
import { around, rangeOf, stepFor, windowOf } from './window';

const now = 1_700_000_000;
const step = (at: number, mean = 1): Step => ({ at, count: 1, low: mean, mean, high: mean });

describe('the range in the address', () => {
  it('moves along with the present, or stands still', () => {
    expect(windowOf('15m', now)).toEqual({ from: now - 900, to: now, step: 5, moving: true });
    expect(windowOf('1600000000-1600003600', now)).toEqual({
      from: 1_600_000_000,
      to: 1_600_003_600,
      step: 15,
      moving: false,
    });
  });
  it('is an hour where nonsense stands', () => {
    for (const bad of ['', 'x', '__proto__', 'constructor', '5-1', '1-2', '1-99999999999', '-1-2', '1e3-2e3']) {
      expect(windowOf(bad, now)).toEqual(windowOf('1h', now));
    }
  });
  it('never has more points than a chart has room for, nor a zoom that is too deep', () => {
    for (const length of [10, 901, 86_400, 604_800, 31_536_000])
      expect(length / stepFor(length)).toBeLessThanOrEqual(300);
    expect(windowOf(rangeOf(now, now + 0.2), now).moving).toBe(false);
  });
});

describe('the range around a reading', () => {
  it('is as long as the one before, and ends by now', () => {
    const hour = windowOf('1h', now);
    expect(around(now - 86_400, hour, now)).toEqual([now - 86_400 - 1800, now - 86_400 + 1800]);
    expect(around(now - 60, hour, now)).toEqual([now - 3600, now]);
  });
  it('holds a reading of a clock that is ahead', () => {
    const [from, to] = around(now + 500, windowOf('1h', now), now);
    expect(from < now + 500 && now + 500 < to).toBe(true);
  });
});

describe('steps of history', () => {
  it('go on with what comes: the last step changes, or a new one begins', () => {
    let all = fold([], 100.7, 4, 5);
    expect(all).toEqual([step(100, 4)]);
    all = fold(all, 103, 8, 5);
    expect(all).toEqual([{ at: 100, count: 2, low: 4, mean: 6, high: 8 }]);
    expect(fold(all, 105, 1, 5)).toHaveLength(2);
    expect(fold(all, 99, 1, 5)).toBe(all);
  });
  it('are broken where the device was silent, not where it reports seldom', () => {
    const every60 = Array.from({ length: 10 }, (_, i) => step(i * 60));
    expect(columns(every60, 5).mean).not.toContain(null);
    const c = columns([...every60, step(3000)], 5);
    expect(c.mean.filter((v) => v === null)).toHaveLength(1);
    expect(c.times).toEqual([...c.times].sort((a, b) => a - b));
  });
  it('of nothing are nothing', () => expect(columns([], 5).times).toEqual([]));
});

describe('a threshold', () => {
  const t = (value: number): Threshold => ({ value, label: '', tone: 'warning', aside: true });
  it('far away does not flatten the line; a near one is in sight', () => {
    expect(room(3, 8, [t(90)])[1]).toBeLessThan(10);
    expect(room(60, 80, [t(90)])[1]).toBeGreaterThan(90);
    expect(room(3, 8, [{ ...t(90), aside: false }])[1]).toBeGreaterThan(90);
  });
  it('of percent: noise is not a storm, and what is spread shows all', () => {
    expect(room(3, 3.2, [], true)).toEqual([0, 10]);
    expect(room(99.5, 100, [], true)).toEqual([90, 100]);
    expect(room(50, 52, [], true)).toEqual([46, 56]);
    expect(room(10, 90, [], true)).toEqual([0, 100]);
    expect(room(10, 130, [], true)[1]).toBeGreaterThan(130);
  });
  it('is what the chart shows where there is no value', () => {
    const [lo, hi] = room(null, null, [t(90)]);
    expect(lo).toBeLessThan(90);
    expect(hi).toBeGreaterThan(90);
    expect(room(null, null, [])).toEqual([0, 1]);
  });
  it('comes from the rules of the property that are on, and from its range', () => {
    const rule = { id: 'r', version: 1, target: 't', severity: 'warning', by: '', created: '', updated: '' } as const;
    const got = thresholdsOf({ name: 'cpu', unit: '%', min: 0, max: 100 }, [
      { ...rule, condition: 'cpu > 80 for 1m clear 70' },
      { ...rule, condition: 'cpu > 90', disabled: true },
      { ...rule, condition: 'disk > 80' },
      { ...rule, condition: 'no condition at all' },
    ]);
    expect(got.map((x) => [x.value, x.label])).toEqual([
      [0, ''],
      [100, ''],
      [80, '> 80 % for 1 min'],
    ]);
  });
});

describe('states', () => {
  it('that stay the same are one span, and the last one lasts', () => {
    const at = (at: number, value: string | boolean) => ({ at, value });
    expect(spansOf([at(1, true), at(2, true), at(5, false), at(6, false)], 10)).toEqual([
      { value: true, from: 1, to: 5 },
      { value: false, from: 5, to: 10 },
    ]);
    expect(spansOf([], 10)).toEqual([]);
  });
});

describe('properties', () => {
  it('that are declared come first, and what came decides what they are', () => {
    const got = propertiesOf(
      [
        { property: 'b', value: 1 },
        { property: 'a', value: 2 },
        { property: 'open', value: true },
      ],
      { properties: [{ name: 'a', unit: '%', type: 'string' }, { name: 'silent' }] },
    );
    expect(got.numbers.map((p) => p.name)).toEqual(['a', 'b']);
    expect(got.states.map((p) => p.name)).toEqual(['open']);
  });
});

describe('amounts', () => {
  it('are said as people say them', () => {
    expect(quantity(25_277_000_000, 'By')).toEqual({ text: '23.5', sign: 'GiB' });
    expect(quantity(512, 'By/s')).toEqual({ text: '512', sign: 'B/s' });
    expect(quantity(25_200, 's')).toEqual({ text: '7 h 0 min', sign: '' });
    expect(quantity(undefined, '%').text).toBe('–');
    expect(axisValue(2 ** 31, 'By')).toBe('2 GiB');
    expect(axisValue(0, 'By')).toBe('0');
  });
});
