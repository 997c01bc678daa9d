// @vitest-environment node
import { describe, expect, it } from 'vitest';
import { json, origin } from '../test/server';
import { type Frame, Refused, readStream } from './sse';

const never = new AbortController().signal;
const stream = { 'Content-Type': 'text/event-stream' };
const tick = (ms = 10) => new Promise((r) => setTimeout(r, ms));

describe('readStream', () => {
  it('puts frames together however they were cut, and bytes of one letter too', async () => {
    const whole = Buffer.from(
      'id: 7\nevent: alarm\ndata: {"title":"zu heiß 🔥"}\n\n: note\n\nevent: beat\ndata: {}\n\n',
    );
    await origin(async (_, res) => {
      res.writeHead(200, stream);
      for (const byte of whole) {
        res.write(Buffer.of(byte));
        if (byte > 127 || byte === 10) await tick(1);
      }
      res.end();
    });
    const got: Frame[] = [];
    await readStream('/stream', '', never, 1000, (f) => got.push(f));
    expect(got).toEqual([
      { id: '7', event: 'alarm', data: { title: 'zu heiß 🔥' } },
      { id: '', event: 'beat', data: {} },
    ]);
  });

  it('asks to go on after the last id, as the console', async () => {
    let headers: Record<string, unknown> = {};
    await origin((req, res) => {
      headers = req.headers;
      res.writeHead(200, stream).end();
    });
    await readStream('/stream', 'c-41', never, 1000, () => {});
    expect(headers).toMatchObject({
      'last-event-id': 'c-41',
      'x-castor-console': expect.stringMatching(/^[\w-]{43}$/),
      accept: 'text/event-stream',
    });
  });

  it('leaves out what is not JSON', async () => {
    await origin((_, res) => void res.writeHead(200, stream).end('event: twin\ndata: {{\n\nevent: beat\ndata: {}\n\n'));
    const got: string[] = [];
    await readStream('/stream', '', never, 1000, (f) => got.push(f.event));
    expect(got).toEqual(['beat']);
  });

  it('stays open as long as something beats', async () => {
    await origin(async (_, res) => {
      res.writeHead(200, stream);
      for (let i = 0; i < 8; i++) {
        res.write('event: beat\ndata: {}\n\n');
        await tick(40);
      }
      res.end();
    });
    let beats = 0;
    await readStream('/stream', '', never, 150, () => beats++);
    expect(beats).toBe(8);
  });

  it('takes silence for a broken line', async () => {
    await origin((_, res) => void res.writeHead(200, stream).write('event: hello\ndata: {}\n\n'));
    await expect(readStream('/stream', '', never, 80, () => {})).rejects.toThrow();
  });

  it('takes a line that breaks in the middle for broken', async () => {
    await origin(async (_, res) => {
      res.writeHead(200, stream).write('event: hello\ndata: {}\n\n');
      await tick();
      res.destroy();
    });
    await expect(readStream('/stream', '', never, 1000, () => {})).rejects.toThrow();
  });

  it.each([401, 429, 503])('tells a refusal by its status: %i', async (status) => {
    await origin((_, res) => json(res, status, { title: 'no', status }));
    const e = await readStream('/stream', '', never, 1000, () => {}).catch((e) => e);
    expect(e).toBeInstanceOf(Refused);
    expect(e.status).toBe(status);
  });

  it('ends when it is told to', async () => {
    const stop = new AbortController();
    await origin((_, res) => void res.writeHead(200, stream).write('event: hello\ndata: {}\n\n'));
    await expect(readStream('/stream', '', stop.signal, 5000, () => stop.abort())).rejects.toThrow();
  });
});
