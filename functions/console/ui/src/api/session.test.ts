// @vitest-environment node
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { json, origin, sessionOf, until } from '../test/server';

/** A tab has its own modules; what tabs share is the browser's. */
async function tab() {
  vi.resetModules();
  return (await import('./session')).session;
}

const url = '/function/console/session';

describe('session', () => {
  beforeEach(() => vi.resetModules());

  it('signs in with the console’s header, and tells who listens', async () => {
    let header = '';
    await origin((req, res) => {
      header = String(req.headers['x-castor-console']);
      json(res, 200, sessionOf(JSON.parse(req.body).name));
    });
    const session = await tab();
    const heard: (string | undefined)[] = [];
    session.subscribe((s) => heard.push(s?.user.id));
    await session.signIn('ada', 'secret');
    expect(header).toMatch(/^[\w-]{43}$/);
    expect(session.get()?.user.id).toBe('ada');
    expect(heard).toEqual(['ada']);
  });

  it('says in the platform’s words why nobody was signed in, and when to try again', async () => {
    await origin((_, res) =>
      json(
        res,
        429,
        { title: 'Too Many Requests', status: 429, detail: 'too many failed sign-ins' },
        { 'Retry-After': '7' },
      ),
    );
    const session = await tab();
    await expect(session.signIn('ada', 'wrong')).rejects.toMatchObject({
      status: 429,
      message: 'Too many failed sign-ins.',
      retryAfter: 7,
    });
    expect(session.get()).toBeNull();
    expect(session.ended()).toBe(false);
  });

  it('renews a session whose access token has ended when the page is opened', async () => {
    const { log } = await origin((req, res) =>
      req.method === 'GET' ? res.writeHead(204).end() : json(res, 200, sessionOf('ada')),
    );
    const session = await tab();
    expect((await session.load())?.user.id).toBe('ada');
    expect(log).toEqual([`GET ${url}`, `POST ${url}/refresh`]);
  });

  it('lets one tab renew and the other look: the refresh token is used once', async () => {
    const { log } = await origin((_, res) => json(res, 200, sessionOf('ada')));
    const [one, two] = [await tab(), await tab()];
    expect(await Promise.all([one.renew(), two.renew()])).toEqual([true, true]);
    expect(log).toEqual([`POST ${url}/refresh`, `GET ${url}`]);
    expect(two.get()?.user.id).toBe('ada');
  });

  it('ends when it cannot be renewed, and remembers that somebody was signed in', async () => {
    let over = false;
    await origin((_, res) => (over ? json(res, 401, {}) : json(res, 200, sessionOf('ada'))));
    const session = await tab();
    await session.signIn('ada', 'secret');
    over = true;
    expect(await session.renew()).toBe(false);
    expect(session.get()).toBeNull();
    expect(session.ended()).toBe(true);
    over = false;
    await session.signIn('ada', 'secret');
    expect(session.ended()).toBe(false);
  });

  it('is not said to have ended after signing out', async () => {
    await origin((req, res) => (req.method === 'DELETE' ? res.writeHead(204).end() : json(res, 200, sessionOf('ada'))));
    const session = await tab();
    await session.signIn('ada', 'secret');
    await session.signOut();
    expect(session.get()).toBeNull();
    expect(session.ended()).toBe(false);
  });

  it('goes on while the platform is away: only a refusal ends it', async () => {
    let broken = false;
    await origin((_, res) => (broken ? json(res, 502, {}) : json(res, 200, sessionOf('ada'))));
    const session = await tab();
    await session.signIn('ada', 'secret');
    broken = true;
    await expect(session.renew()).rejects.toMatchObject({ status: 502 });
    expect(session.get()?.user.id).toBe('ada');
  });

  it('renews though another tab seems to have done so a day ahead', async () => {
    const { log } = await origin((req, res) =>
      req.method === 'GET' ? res.writeHead(204).end() : json(res, 200, sessionOf('ada')),
    );
    const session = await tab();
    localStorage.setItem('castor.renewed', String(Date.now() + 86_400_000));
    expect(await session.renew()).toBe(true);
    expect(log).toEqual([`POST ${url}/refresh`]);
  });

  it('renews after all where another tab was faster, but its session is over', async () => {
    const { log } = await origin((req, res) =>
      req.method === 'GET' ? res.writeHead(204).end() : json(res, 200, sessionOf('ada')),
    );
    const [one, two] = [await tab(), await tab()];
    expect(await Promise.all([one.renew(), two.renew()])).toEqual([true, true]);
    expect(log).toEqual([`POST ${url}/refresh`, `GET ${url}`, `POST ${url}/refresh`]);
  });

  it.each(['{}', '"x"', 'null', '<h1>Hello</h1>', '{"user":{"id":"ada"}}'])('takes %s for no session', async (body) => {
    await origin((_, res) => void res.writeHead(200, { 'Content-Type': 'application/json' }).end(body));
    const session = await tab();
    await expect(session.load()).rejects.toMatchObject({ message: /not a Castor platform/ });
    expect(session.get()).toBeNull();
  });

  it('follows the other tabs: nobody’s page stays when somebody else signs in, or all sign out', async () => {
    let who = 'ada';
    await origin((req, res) => (req.method === 'DELETE' ? res.writeHead(204).end() : json(res, 200, sessionOf(who))));
    vi.stubGlobal('document', Object.assign(new EventTarget(), { visibilityState: 'visible' }));
    vi.stubGlobal('addEventListener', () => {});
    const [one, two] = [await tab(), await tab()];
    for (const t of [one, two]) onTestFinished(t.watch());
    const heard: (string | null)[] = [];
    two.subscribe((s) => heard.push(s?.user.id ?? null));
    await one.signIn('ada', 'secret');
    await until('ada in the other tab', () => two.get()?.user.id === 'ada');
    who = 'ben';
    await one.signIn('ben', 'secret');
    await until('ben in the other tab', () => two.get()?.user.id === 'ben');
    await one.signOut();
    await until('nobody in the other tab', () => two.get() === null);
    expect(two.ended()).toBe(false);
    expect(heard).toEqual(['ada', null, 'ben', null]);
  });

  it('asks again who is signed in when the page is looked at after a while', async () => {
    let who = 'ada';
    const { log } = await origin((_, res) => json(res, 200, sessionOf(who)));
    const page = Object.assign(new EventTarget(), { visibilityState: 'visible' });
    vi.stubGlobal('document', page);
    vi.stubGlobal('addEventListener', () => {});
    const session = await tab();
    onTestFinished(session.watch());
    await session.load();
    page.dispatchEvent(new Event('visibilitychange'));
    expect(log).toHaveLength(1);
    const later = Date.now() + 31_000;
    vi.spyOn(Date, 'now').mockImplementation(() => later);
    who = 'ben';
    page.dispatchEvent(new Event('visibilitychange'));
    vi.restoreAllMocks();
    await until('ben', () => session.get()?.user.id === 'ben');
  });

  it('says plainly that nobody answers', async () => {
    const { down } = await origin(() => {});
    const session = await tab();
    await down();
    await expect(session.load()).rejects.toMatchObject({ status: 0, message: /does not answer/ });
  });

  it('leaves a moment with nobody between two people, so that nothing of the first is shown to the second', async () => {
    let who = 'ada';
    await origin((_, res) => json(res, 200, sessionOf(who)));
    const session = await tab();
    await session.load();
    const heard: (string | null)[] = [];
    session.subscribe((s) => heard.push(s?.user.id ?? null));
    who = 'ben';
    await session.renew();
    expect(heard).toEqual([null, 'ben']);
    expect(session.ended()).toBe(false);
  });
});
