// @vitest-environment node
import type { ServerResponse } from 'node:http';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Answer, json, origin, sessionOf, until } from '../test/server';

/** A page that is signed in, with its stream begun; answer is asked for /stream only. */
async function page(stream: Answer, token: { seconds: number; good?: boolean } = { seconds: 900 }) {
  vi.resetModules();
  const { log, down } = await origin((req, res) => {
    if (req.url === '/stream') return stream(req, res);
    return token.good === false ? json(res, 401, {}) : json(res, 200, sessionOf('ada', token.seconds));
  });
  const { session } = await import('../api/session');
  const { live } = await import('./live');
  const { reach } = await import('../api/reach');
  await session.signIn('ada', 'secret');
  const states: string[] = [];
  live.subscribeState(() => states.push(live.getState()));
  onTestFinished(() => live.end());
  live.start();
  return { live, reach, session, states, log, down };
}

const open = (res: ServerResponse) => res.writeHead(200, { 'Content-Type': 'text/event-stream' });
const frame = (id: string, event: string, data: unknown = {}) =>
  `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
const hello = frame('c-0', 'hello');

describe('live', () => {
  beforeEach(() => vi.resetModules());

  it('is live from the first frame, and hands out events', async () => {
    const { live, states } = await page(
      (_, res) => void open(res).write(hello + frame('c-1', 'twin', { twin: 'p-1' })),
    );
    const heard: string[] = [];
    live.on('twin', (e) => heard.push(e.twin));
    await until('the event', () => heard.length === 1);
    expect(heard).toEqual(['p-1']);
    expect(states).toEqual(['connecting', 'live']);
  });

  it('goes on after the last id when the line breaks, and a short break shows nowhere', async () => {
    const asked: unknown[] = [];
    const { states } = await page((req, res) => {
      asked.push(req.headers['last-event-id']);
      open(res).write(hello + frame(`c-${asked.length}`, 'beat'));
      if (asked.length < 3) setTimeout(() => res.destroy(), 20);
    });
    await until('the third stream', () => asked.length === 3);
    expect(asked).toEqual([undefined, 'c-1', 'c-2']);
    expect(states).toEqual(['connecting', 'live']);
  });

  it('says that it is reconnecting, polls once calls are answered, and is live again when the stream is back', async () => {
    let away = false;
    const open1: ServerResponse[] = [];
    const { live, reach, states } = await page((_, res) => {
      if (away) return json(res, 503, { title: 'going down', status: 503 });
      open(res).write(hello);
      open1.push(res);
    });
    await until('live', () => live.getState() === 'live');
    away = true;
    const cut = Date.now();
    for (const r of open1) r.destroy();
    await until('reconnecting', () => live.getState() === 'reconnecting');
    expect(Date.now() - cut).toBeGreaterThan(900);
    reach.tell(true);
    expect(live.getState()).toBe('polling');
    away = false;
    await until('live again', () => live.getState() === 'live', 12_000);
    expect(states).toEqual(['connecting', 'live', 'reconnecting', 'polling', 'live']);
  }, 20_000);

  it('does not speak of polling while nothing answers', async () => {
    const { live, reach, states, down } = await page((_, res) => void open(res).write(hello));
    await until('live', () => live.getState() === 'live');
    await down();
    await until('no connection', () => live.getState() === 'away');
    reach.tell(true);
    expect(live.getState()).toBe('polling');
    await until('no connection again', () => live.getState() === 'away');
    expect(states).toEqual(['connecting', 'live', 'away', 'polling', 'away']);
  });

  it('gives its connection up while the page is hidden, and goes on where it was when it is seen again', async () => {
    const tab = Object.assign(new EventTarget(), { visibilityState: 'visible' });
    vi.stubGlobal('document', tab);
    const seen = (visibilityState: string) => {
      tab.visibilityState = visibilityState;
      tab.dispatchEvent(new Event('visibilitychange'));
    };
    const asked: unknown[] = [];
    let closed = 0;
    const { live, states } = await page((req, res) => {
      asked.push(req.headers['last-event-id']);
      res.on('close', () => closed++);
      open(res).write(hello);
    });
    await until('live', () => live.getState() === 'live');
    seen('hidden');
    seen('visible');
    seen('hidden');
    await until('its end', () => closed === 1, 8000);
    await new Promise((r) => setTimeout(r, 1500));
    expect(asked).toEqual([undefined]);
    seen('visible');
    await until('the second stream', () => asked.length === 2);
    expect(asked).toEqual([undefined, 'c-0']);
    expect(states).toEqual(['connecting', 'live']);
  }, 15_000);

  it('tells once that a stream has begun which goes on behind no other', async () => {
    let streams = 0;
    const { live } = await page((_, res) => {
      open(res).write(hello);
      if (++streams === 1) setTimeout(() => res.destroy(), 20);
    });
    let begun = 0;
    live.on('begun', () => begun++);
    await until('the second stream', () => streams === 2);
    await new Promise((r) => setTimeout(r, 100));
    expect(begun).toBe(1);
  });

  it('gets a new token for a stream that is refused, though the old one should still be good', async () => {
    let refused = 0;
    const { live, log } = await page((_, res) => {
      if (refused++ === 0) return json(res, 401, {});
      open(res).write(hello);
    });
    await until('live', () => live.getState() === 'live');
    expect(log).toContain('POST /function/console/session/refresh');
  });

  it('opens the next stream with a new token when one ends because its token did', async () => {
    let streams = 0;
    const { log } = await page(
      (_, res) => {
        open(res).write(hello);
        if (++streams === 1) res.end();
      },
      { seconds: 10 },
    );
    await until('the second stream', () => streams === 2);
    expect(log.slice(1)).toEqual(['GET /stream', 'POST /function/console/session/refresh', 'GET /stream']);
  });

  it('stops when the person has to sign in', async () => {
    const token = { seconds: 900, good: true };
    const { session, log } = await page((_, res) => {
      token.good = false;
      json(res, 401, {});
    }, token);
    await until('signed out', () => session.get() === null);
    const calls = log.length;
    await new Promise((r) => setTimeout(r, 700));
    expect(log).toHaveLength(calls);
  });

  it('forgets its place at the end: the next reader begins anew', async () => {
    const asked: unknown[] = [];
    const { live } = await page((req, res) => {
      asked.push(req.headers['last-event-id']);
      open(res).write(frame('c-9', 'hello'));
    });
    await until('live', () => live.getState() === 'live');
    live.end();
    expect(live.getState()).toBe('off');
    live.start();
    await until('live again', () => live.getState() === 'live');
    expect(asked).toEqual([undefined, undefined]);
  });
});
