import { act, renderHook } from '@testing-library/react';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Twin } from '@/api/types';
import type { TwinReadings } from './events';
import type { Heard } from './twins';

const at = (s: number) => new Date(Date.UTC(2026, 0, 1, 12, 0, s)).toISOString();

function twin(reported: [string, unknown, number][], seen = 0): Twin {
  return {
    id: 'p-1',
    kind: 'instance',
    created: at(0),
    definition: { version: 1, updated: at(0) },
    live: {
      messages: 5,
      presence: { connected: false, offline: true, lastSeen: at(seen) },
      reported: reported.map(([property, value, s]) => ({ property, value, at: at(s) })),
    },
  } as unknown as Twin;
}

function heardOf(reported: [string, unknown, number][], seen: number): Heard {
  const all = reported.map(([property, value, s]) => [property, { property, value, at: at(s) }] as const);
  return {
    connected: true,
    online: true,
    lastSeen: at(seen),
    messages: 9,
    reported: new Map(all) as Heard['reported'],
    removed: new Map(),
  };
}

const values = (t: Twin) => Object.fromEntries((t.live.reported ?? []).map((r) => [r.property, r.value]));

describe('merge', () => {
  it('takes what is newer of each property, and adds what is new', async () => {
    const { merge } = await import('./twins');
    const read = twin([
      ['flow', 1, 5],
      ['temperature', 20, 1],
    ]);
    const t = merge(
      read,
      heardOf(
        [
          ['flow', 0, 4],
          ['pressure', 3, 6],
          ['temperature', 21, 6],
        ],
        6,
      ),
    );
    expect(values(t)).toEqual({ flow: 1, pressure: 3, temperature: 21 });
    expect(t.live.presence).toMatchObject({ connected: true, offline: false, lastSeen: at(6) });
    expect(t.live.messages).toBe(9);
    expect(values(read)).toEqual({ flow: 1, temperature: 20 });
  });

  it('leaves out what the device has removed since, unless it was reported again', async () => {
    const { merge } = await import('./twins');
    const h = heardOf([], 6);
    h.removed.set('flow', at(6)).set('pressure', at(3));
    const t = merge(
      twin([
        ['flow', 1, 5],
        ['pressure', 2, 5],
      ]),
      h,
    );
    expect(values(t)).toEqual({ pressure: 2 });
  });

  it('keeps what was read where that is newer as a whole', async () => {
    const { merge } = await import('./twins');
    const read = twin([['flow', 1, 9]], 9);
    expect(merge(read, heardOf([['flow', 7, 8]], 8))).toBe(read);
  });
});

/** The module, fed by a stream. */
async function fed() {
  vi.resetModules();
  let send: (event: string, data: unknown) => void = () => {};
  const bytes = new TextEncoder();
  vi.stubGlobal('fetch', async () => {
    const body = new ReadableStream({
      start: (c) => {
        send = (event, data) => c.enqueue(bytes.encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`));
        send('hello', {});
      },
    });
    return new Response(body, { status: 200 });
  });
  const { live } = await import('./live');
  const { useHeard } = await import('./twins');
  live.start();
  onTestFinished(() => {
    live.end();
    vi.unstubAllGlobals();
  });
  await vi.waitFor(() => expect(live.getState()).toBe('live'));
  return { send: (event: string, data: unknown) => send(event, data), useHeard, live };
}

const readings = (id: string, reported: TwinReadings['reported'] = []): TwinReadings => ({
  twin: id,
  connected: true,
  online: true,
  lastSeen: at(1),
  messages: 1,
  reported,
});

describe('useHeard', () => {
  beforeEach(() => vi.resetModules());

  it('tells only who looks at the twin, once for many readings, and keeps properties of earlier ones', async () => {
    const { send, useHeard } = await fed();
    let drawn = 0;
    const one = renderHook(() => {
      drawn++;
      return useHeard('p-1');
    });
    const other = renderHook(() => useHeard('p-2'));
    const before = drawn;
    await act(async () => {
      send('readings', { twins: [readings('p-1', [{ property: 'flow', value: 1, at: at(1) }])] });
      send('readings', { twins: [readings('p-1', [{ property: 'pressure', value: 2, at: at(2) }])] });
      await vi.waitFor(() => expect(one.result.current?.reported.size).toBe(2));
    });
    expect(drawn - before).toBeLessThanOrEqual(2);
    expect(other.result.current).toBeUndefined();
  });

  it('drops a property that the device has removed, and a twin that is gone', async () => {
    const { send, useHeard } = await fed();
    const { result } = renderHook(() => useHeard('p-1'));
    await act(async () => {
      send('readings', { twins: [readings('p-1', [{ property: 'flow', value: 1, at: at(1) }])] });
      await vi.waitFor(() => expect(result.current?.reported.has('flow')).toBe(true));
      send('readings', { twins: [readings('p-1', [{ property: 'flow', value: null as never, at: at(2) }])] });
      await vi.waitFor(() => expect(result.current?.reported.has('flow')).toBe(false));
      send('twin', { twin: 'p-1', kind: 'instance', gone: true });
      await vi.waitFor(() => expect(result.current).toBeUndefined());
    });
  });

  it('remembers so many twins and no more: who was heard from longest ago is forgotten', async () => {
    const { send, useHeard, live } = await fed();
    let frames = 0;
    live.on('readings', () => frames++);
    const names = Array.from({ length: 20_001 }, (_, i) => `t-${i}`);
    await act(async () => {
      send('readings', { twins: names.slice(0, 20_000).map((n) => readings(n)) });
      send('readings', { twins: [readings('t-0')] }); // so t-1 is the oldest now
      send('readings', { twins: [readings('t-20000')] });
      await vi.waitFor(() => expect(frames).toBe(3));
    });
    const heard = (id: string) => renderHook(() => useHeard(id)).result.current;
    expect(heard('t-0')).toBeDefined();
    expect(heard('t-1')).toBeUndefined();
    expect(heard('t-2')).toBeDefined();
    expect(heard('t-20000')).toBeDefined();
  });

  it('forgets everything when too much was missed', async () => {
    const { send, useHeard } = await fed();
    const { result } = renderHook(() => useHeard('p-1'));
    await act(async () => {
      send('readings', { twins: [readings('p-1')] });
      await vi.waitFor(() => expect(result.current).toBeDefined());
      send('reload', { reason: 'too slow' });
      await vi.waitFor(() => expect(result.current).toBeUndefined());
    });
  });
});
