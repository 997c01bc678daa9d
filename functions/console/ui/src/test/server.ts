// What a page stands on, for tests without a browser: an origin that answers, a store, and locks that tabs share.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished, vi } from 'vitest';

export type Answer = (req: IncomingMessage & { body: string }, res: ServerResponse) => unknown;

/** A real HTTP server that is the page's origin until the test is over. `log` has "METHOD /path" of every call. */
export async function origin(answer: Answer): Promise<{ log: string[]; down: () => Promise<void> }> {
  const log: string[] = [];
  const server = createServer(async (req, res) => {
    log.push(`${req.method} ${req.url}`);
    let body = '';
    for await (const chunk of req) body += chunk;
    try {
      await answer(Object.assign(req, { body }), res);
    } catch (e) {
      res.destroy(e as Error);
    }
  });
  await new Promise<void>((up) => server.listen(0, '127.0.0.1', up));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const down = async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  };
  onTestFinished(down);

  // A page's addresses are relative to its origin; Node knows none.
  const fetchFrom = globalThis.fetch;
  const Absolute = globalThis.Request;
  vi.stubGlobal(
    'Request',
    class extends Absolute {
      constructor(to: RequestInfo | URL, init?: RequestInit) {
        super(typeof to === 'string' ? new URL(to, base) : to, init);
      }
    },
  );
  vi.stubGlobal('fetch', (to: RequestInfo | URL, init?: RequestInit) =>
    fetchFrom(typeof to === 'string' ? new URL(to, base) : to, init),
  );
  onTestFinished(() => void vi.unstubAllGlobals());
  stubStore();
  stubLocks();
  return { log, down };
}

/** One localStorage for all tabs of a test. */
function stubStore(): void {
  const kept = new Map<string, string>();
  vi.stubGlobal('localStorage', {
    getItem: (k: string) => kept.get(k) ?? null,
    setItem: (k: string, v: string) => void kept.set(k, v),
  });
}

/** The browser's locks: one holder of a name at a time. */
function stubLocks(): void {
  const held = new Map<string, Promise<unknown>>();
  const request = (name: string, work: () => Promise<unknown>) => {
    const turn = (held.get(name) ?? Promise.resolve()).then(work, work);
    held.set(name, turn);
    return turn;
  };
  vi.stubGlobal('navigator', { locks: { request } });
}

/** Answers with JSON. */
export function json(res: ServerResponse, status: number, body?: unknown, headers: Record<string, string> = {}): void {
  res.writeHead(status, { 'Content-Type': 'application/json', ...headers });
  res.end(body === undefined ? undefined : JSON.stringify(body));
}

/** A session as function console tells it. */
export const sessionOf = (id: string, seconds = 900) => ({
  user: { id, roles: ['owner'], created: '2026-01-01T00:00:00Z' },
  expires: new Date(Date.now() + seconds * 1000).toISOString(),
});

/** Waits until something is so; the message says what did not come. */
export async function until(what: string, so: () => boolean, ms = 3000): Promise<void> {
  for (const end = Date.now() + ms; !so(); await new Promise((r) => setTimeout(r, 5)))
    if (Date.now() > end) throw new Error(`not in ${ms} ms: ${what}`);
}
