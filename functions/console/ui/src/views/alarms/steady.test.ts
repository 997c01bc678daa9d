import { expect, test } from 'vitest';
import type { Alarm } from '@/api/types';
import { type Row, steady } from './steady';

const alarm = (id: string): Alarm => ({
  id,
  state: 'raised',
  twin: 't',
  rule: 'r',
  title: id,
  severity: 'info',
  updated: '',
});
const alarms = (ids: string) => [...ids].map(alarm);
const rows = (ids: string): Row[] => alarms(ids).map((a) => ({ alarm: a }));
const said = (r: Row[]) => r.map((x) => x.alarm.id + (x.gone ? '-' : '') + (x.fresh ? '+' : '')).join(' ');

test.each<[string, string, string, boolean, string, number]>([
  ['the first list is shown as it is', '', 'cba', true, 'c b a', 0],
  ['new ones come in when nobody reads', 'ba', 'dcba', false, 'd+ c+ b a', 0],
  ['those that left go when nobody reads', 'cba', 'ca', false, 'c a', 0],
  ['new ones wait while somebody reads', 'ba', 'dcba', true, 'b a', 2],
  ['those that left stay while somebody reads', 'cba', 'ca', true, 'c b- a', 0],
  ['older pages are appended while somebody reads', 'dc', 'edcba', true, 'd c b a', 1],
  ['the last one leaving does not make new ones old', 'a', 'cb', true, 'a-', 2],
  ['an older page is not fresh', 'dc', 'dcba', false, 'd c b a', 0],
])('%s', (_, before, items, hold, want, waiting) => {
  const s = steady(rows(before), alarms(items), hold);
  expect(said(s.rows)).toBe(want);
  expect(s.waiting).toBe(waiting);
});

test('a row that is held shows its newest state', () => {
  const s = steady(rows('ab'), [{ ...alarm('a'), state: 'acknowledged' }, alarm('b')], true);
  expect(s.rows[0]?.alarm.state).toBe('acknowledged');
});
