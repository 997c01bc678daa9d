import { describe, expect, it } from 'vitest';
import type { Property, Twin } from '@/api/types';
import { thatFit } from '@/parts/tableLayout';
import { columnsOf, shown } from './columns';
import { newest } from './reading';
import { queryOf } from './useFilters';
import { firstOf } from './useTypes';

const query = (address: string) => queryOf(new URLSearchParams(address)).query;

describe('the address', () => {
  it('asks for what it says', () => {
    expect(query('q=pump&type=host&presence=offline&alarms=open&sort=-lastSeen')).toEqual({
      kind: 'instance',
      q: 'pump',
      type: 'host',
      online: 'false',
      alarms: 'open',
      sort: '-lastSeen',
    });
  });

  it('asks for nothing that lists refuse', () => {
    expect(query('kind=x&phase=lost&presence=maybe&alarms=all&sort=size&q=%20!')).toEqual({ kind: 'instance' });
    expect(query(`tag=${'x'.repeat(10_000)}`).tag).toHaveLength(64);
  });

  it('leaves the filters of devices out for types and groups', () => {
    expect(query('kind=types&phase=operational&tag=a')).toEqual({ kind: 'type', tag: 'a' });
  });
});

describe('the newest reading', () => {
  const at = (s: number) => `2026-01-01T00:00:0${s}Z`;
  const twin = (...reported: [name: string, second: number][]) =>
    ({ live: { reported: reported.map(([property, s]) => ({ property, value: 1, at: at(s), order: {} })) } }) as Twin;
  const properties = new Map(['flow', 'rpm'].map((name) => [name, { name } as Property]));

  it('is what the type names first, of what was reported', () => {
    expect(newest(twin(['uptime', 3], ['rpm', 1]), properties)?.property).toBe('rpm');
    expect(newest(twin(['rpm', 3], ['flow', 1]), properties)?.property).toBe('flow');
  });

  it('is the newest where the type says nothing of it', () => {
    expect(newest(twin(['a', 1], ['b', 2]), properties)?.property).toBe('b');
    expect(newest(twin(['a', 1], ['b', 2]), undefined)?.property).toBe('b');
    expect(newest(twin(), properties)).toBeUndefined();
  });

  it('is asked for by the first name of each type', () => {
    const type = (id: string, ...names: string[]) =>
      [id, { id, name: id, properties: new Map(names.map((name) => [name, { name } as Property])) }] as const;
    expect(firstOf(new Map([type('b', 'rpm', 'flow'), type('a', 'flow'), type('c'), type('d', 'x,y')]))).toBe(
      'flow,rpm',
    );
  });
});

describe('columns', () => {
  it('are left out where there is no room, those to spare before the others, but not the first', () => {
    const all = columnsOf.devices;
    expect(thatFit(all, 5_000)).toHaveLength(all.length);
    expect(thatFit(all, 0)).toEqual([all[0]]);
    expect(thatFit(all, 700).length).toBeLessThan(all.length);
    // On a tablet: what is there and how it is, before whose it is.
    expect(thatFit(all, 680).map((c) => c.id)).toEqual(['name', 'presence', 'reading', 'lastSeen', 'alarms']);
  });

  it('are those that were not hidden', () => {
    expect(shown('devices', ['name', 'tags']).map((c) => c.id)).not.toContain('tags');
    expect(shown('devices', ['name'])[0]?.id).toBe('name');
  });
});
