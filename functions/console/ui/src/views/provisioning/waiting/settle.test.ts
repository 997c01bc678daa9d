import { expect, it, vi } from 'vitest';
import type { Waiting } from '@/api/types';
import { json, origin } from '@/test/server';
import { inParts } from './settle';

const ids = (n: number) => Array.from({ length: n }, (_, i) => String(i).padStart(24, '0'));

it('lets in only under the serials that were seen, some at a time, and tells how far it is', async () => {
  const asked: { ids: string[]; serials: Record<string, string> }[] = [];
  await origin((req, res) => {
    const body = JSON.parse(req.body);
    asked.push(body);
    const faults = body.ids.includes(ids(8)[7]) ? [{ id: ids(8)[7], reason: 'its serial is another now' }] : [];
    json(res, 200, { done: body.ids.length - faults.length, faults });
  });
  vi.resetModules(); // the client keeps the origin that it was loaded on
  const { admit } = await import('./settle');
  const who = ids(250).map((id, i) => ({ id, serial: `P-${i}` }) as Waiting);
  const told: number[] = [];
  const out = await admit(who, { owner: 'press' }, (n) => told.push(n) > 0);
  expect(out).toEqual({ done: 249, faults: [{ id: ids(8)[7], reason: 'its serial is another now' }] });
  expect(told).toEqual([100, 200, 250]);
  expect(asked.flatMap((a) => a.ids)).toEqual(ids(250));
  expect(asked[2]?.serials[ids(250)[249]!]).toBe('P-249');
});

it('asks again for those that one call had no time for', async () => {
  const answers = [{ done: 40, more: true }, { done: 90, more: true }, { done: 100 }, { done: 5 }];
  let calls = 0;
  expect(await inParts(ids(105), async () => answers[calls++]!)).toEqual({ done: 105, faults: [] });
  expect(calls).toBe(4);
});

it('tells of each that it could not be done for when the platform goes half-way', async () => {
  let calls = 0;
  const call = async (some: string[]) => {
    if (++calls === 2) throw new Error('no connection');
    return { done: some.length };
  };
  const out = await inParts(ids(250), call);
  expect([out.done, out.faults.length, calls]).toEqual([100, 150, 2]);
  expect(out.faults[0]?.reason).toContain('not known');
  expect(out.faults[149]?.reason).toContain('not asked for any more: no connection');
  calls = 1;
  await expect(inParts(ids(250), call)).rejects.toThrow('no connection'); // nothing was done: the dialog says so
});

it('leaves the others as they are when its dialog is closed', async () => {
  const out = await inParts(
    ids(250),
    async (some) => ({ done: some.length }),
    (n) => n < 200,
  );
  expect(out).toEqual({ done: 200, faults: [] });
});
