// @vitest-environment node
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { json, origin, sessionOf } from '../test/server';

async function fresh() {
  vi.resetModules();
  const { api, ok } = await import('./client');
  const { session } = await import('./session');
  return { api, ok, session };
}

const twins = '/function/twins/twins';
const refresh = '/function/console/session/refresh';

describe('client', () => {
  beforeEach(() => vi.resetModules());

  it('renews the access token once and makes the call again, with its body', async () => {
    let good = false;
    const bodies: string[] = [];
    const { log } = await origin((req, res) => {
      if (req.url === refresh) {
        good = true;
        return json(res, 200, sessionOf('ada'));
      }
      bodies.push(req.body);
      return good ? json(res, 201, { id: 'pump' }) : json(res, 401, {});
    });
    const { api, ok } = await fresh();
    const body = { id: 'pump', kind: 'type' } as const;
    expect(await ok(api.POST(twins, { body: body as never }))).toEqual({ id: 'pump' });
    expect(log).toEqual([`POST ${twins}`, `POST ${refresh}`, `POST ${twins}`]);
    expect(bodies).toEqual([JSON.stringify(body), JSON.stringify(body)]);
  });

  it('does not ask for ever: refused again it is refused', async () => {
    const { log } = await origin((req, res) =>
      req.url === refresh ? json(res, 200, sessionOf('ada')) : json(res, 401, {}),
    );
    const { api, ok } = await fresh();
    await expect(ok(api.GET(twins))).rejects.toMatchObject({ status: 401, message: 'You are signed out.' });
    expect(log).toHaveLength(3);
  });

  it('brings who has to sign in there', async () => {
    await origin((_, res) => json(res, 401, {}));
    const { api, ok, session } = await fresh();
    let told = false;
    session.subscribe((s) => {
      told = s === null;
    });
    await expect(ok(api.GET(twins))).rejects.toMatchObject({ status: 401 });
    expect(told).toBe(true);
  });

  it('renews once for many calls at a time', async () => {
    let good = false;
    const { log } = await origin(async (req, res) => {
      if (req.url === refresh) {
        await new Promise((r) => setTimeout(r, 30));
        good = true;
        return json(res, 200, sessionOf('ada'));
      }
      if (req.url === '/function/console/session') return json(res, 200, sessionOf('ada'));
      return good ? json(res, 200, { items: [] }) : json(res, 401, {});
    });
    const { api, ok } = await fresh();
    await Promise.all([1, 2, 3, 4].map(() => ok(api.GET(twins))));
    expect(log.filter((l) => l.endsWith(refresh))).toHaveLength(1);
  });

  it('tells what a proxy’s page means, and who answers not at all', async () => {
    const { down } = await origin((_, res) => {
      res.writeHead(503, { 'Content-Type': 'text/html' }).end('<h1>Service Unavailable</h1>');
    });
    const { api, ok } = await fresh();
    await expect(ok(api.GET(twins))).rejects.toMatchObject({ status: 503, message: /cannot do this now/ });
    await down();
    await expect(ok(api.GET(twins))).rejects.toMatchObject({ status: 0 });
  });

  it('says that a patch is a merge patch', async () => {
    let kind = '';
    await origin((req, res) => {
      kind = String(req.headers['content-type']);
      json(res, 200, {});
    });
    const { api, ok } = await fresh();
    const path = { id: 'r' };
    await ok(api.PATCH('/function/twin-monitor/rules/{id}', { params: { path }, body: { disabled: true } }));
    expect(kind).toBe('application/merge-patch+json');
  });
});
