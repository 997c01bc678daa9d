import { expect, test } from 'vitest';
import type { Alarm } from '@/api/types';
import { actor } from '@/parts/words';
import { patched } from './acknowledge';

const a: Alarm = { id: 'a', state: 'raised', twin: 't', rule: 'r', title: 'hot', severity: 'info', updated: '' };
const b: Alarm = { ...a, id: 'b' };
const take = (x: Alarm): Alarm => (x.id === 'a' ? { ...x, state: 'acknowledged' } : x);

test('an alarm is changed wherever it is kept', () => {
  const taken = take(a);
  expect(patched({ items: [a, b], next: 'n' }, take)).toEqual({ items: [taken, b], next: 'n' });
  expect(patched({ pages: [{ items: [b] }, { items: [a] }], pageParams: ['', 'n'] }, take)).toEqual({
    pages: [{ items: [b] }, { items: [taken] }],
    pageParams: ['', 'n'],
  });
  expect(patched(a, take)).toEqual(taken);
});

test('what is no alarm stays: deliveries, counts, nothing yet', () => {
  const deliveries = { items: [{ id: 'd', alarm: 'a', route: 'r', raised: true, state: 'sent', attempts: 1 }] };
  expect(patched(deliveries, take)).toEqual(deliveries);
  expect(patched({ raised: { info: 1 } }, take)).toEqual({ raised: { info: 1 } });
  expect(patched(undefined, take)).toBeUndefined();
});

test('people are called by their names', () => {
  expect([actor('user:ada'), actor('function:x'), actor(undefined)]).toEqual(['ada', 'function:x', '']);
});
