import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { Platform } from '../harness/platform';
import { test } from '../harness/story';

let p: Platform;
let foreign: Server;
let elsewhere: string;
/** The cookies that it got, and those that it sets. */
const heard: string[] = [];
let planted: string[] = [];

/** Another site on the same machine; "localhost" makes it another site for cookies too. It answers with an empty page. */
beforeAll(async () => {
  p = await Platform.start();
  foreign = createServer((q, r) => {
    heard.push(q.headers.cookie ?? '');
    r.setHeader('Set-Cookie', planted).setHeader('Content-Type', 'text/html').end('<!doctype html><title>elsewhere</title><body>');
  });
  await new Promise<void>((go) => foreign.listen(0, '127.0.0.1', go));
  elsewhere = `:${(foreign.address() as AddressInfo).port}/`;
});
afterAll(async () => {
  foreign.closeAllConnections();
  foreign.close();
  await p?.end();
});

describe('what the page is allowed', () => {
  test('the policy has no inline code and no other origin', async ({ visit }) => {
    const { page, guard } = await visit(p, { as: p.admin });
    const h = (await page.goto(p.at('/')))!.headers();
    const csp = h['content-security-policy']!;
    expect(csp).toContain("default-src 'none'");
    expect(csp).toMatch(/script-src 'self'(;|$)/);
    expect(csp).toMatch(/style-src 'self' 'nonce-[\w-]{16,}'(;|$)/);
    expect(csp).toContain("frame-ancestors 'none'");
    expect(csp).toContain("form-action 'none'");
    expect(csp).not.toMatch(/unsafe|\*|http:/);
    expect(h).toMatchObject({ 'x-frame-options': 'DENY', 'referrer-policy': 'no-referrer', 'x-content-type-options': 'nosniff' });
    const second = (await page.goto(p.at('/')))!.headers()['content-security-policy'];
    expect(second, 'a nonce is good once').not.toBe(csp);

    // Somebody who gets markup into the page gets no code to run: the browser is asked to, and does not.
    await page.evaluate(() => {
      const script = document.createElement('script');
      script.textContent = 'window.ran = "inline"';
      document.body.append(script);
      document.body.insertAdjacentHTML('beforeend', '<img src="data:," onerror="window.ran = \'handler\'"><a href="javascript:window.ran=1" id="j">x</a>');
      document.getElementById('j')!.click();
    });
    // It says of each that it did not: the element, the handler, and the address.
    await expect.poll(() => guard.found.filter((f) => /^content security policy: script-src/.test(f)).length).toBe(3);
    expect(await page.evaluate(() => (window as unknown as { ran?: string }).ran)).toBeUndefined();
    guard.take(/content security policy|data:,/i);
  });
});

describe("another site's page", () => {
  for (const host of ['localhost', '127.0.0.1'])
    test(`cannot act for who is signed in here, nor read (from ${host})`, async ({ visit }) => {
      const { context, page } = await visit(p, { as: p.admin });
      const before = await p.api.all('users/groups');
      const there = await context.newPage();
      await there.goto(`http://${host}${elsewhere}`);
      const seen = await there.evaluate(async (url) => {
        const ask = async (path: string, init: RequestInit) => {
          try {
            const r = await fetch(url + path, { credentials: 'include', ...init });
            return `${r.type} ${r.status} ${(await r.text()).length}`;
          } catch {
            return 'refused';
          }
        };
        const body = JSON.stringify({ id: 'taken-over', name: 'Taken over' });
        return {
          read: await ask('/function/twins/twins', {}),
          readWithHeader: await ask('/function/twins/twins', { headers: { 'X-Castor-Console': 'q'.repeat(42) + 'A' } }),
          blind: await ask('/function/twins/twins', { mode: 'no-cors' }),
          write: await ask('/function/users/groups', { method: 'POST', body, headers: { 'Content-Type': 'application/json', 'X-Castor-Console': 'q'.repeat(42) + 'A' } }),
          writeSimple: await ask('/function/users/groups', { method: 'POST', body, mode: 'no-cors', headers: { 'Content-Type': 'text/plain' } }),
          signOut: await ask('/function/console/session', { method: 'DELETE' }),
          stream: await ask('/stream', {}),
          framed: await new Promise<string>((go) => {
            const f = document.createElement('iframe');
            f.src = `${url}/function/console/`;
            f.onload = () => go(f.contentDocument ? 'readable' : 'shut');
            document.body.append(f);
          }),
        };
      }, p.url);
      expect(seen).toEqual({
        read: 'refused',
        readWithHeader: 'refused',
        blind: 'opaque 0 0',
        write: 'refused',
        writeSimple: 'opaque 0 0',
        signOut: 'refused',
        stream: 'refused',
        framed: 'shut',
      });
      for (const f of there.frames().slice(1)) expect(await f.locator('body').innerText().catch(() => '')).not.toContain('Castor');

      // A form needs no permission to be sent; the cookie alone must not be enough for anything.
      for (const path of ['/function/users/groups', '/function/console/session']) {
        await there.goto(`http://${host}${elsewhere}`);
        const [answer] = await Promise.all([
          there.waitForResponse((r) => r.url() === p.url + path),
          there.evaluate((action) => {
            const f = Object.assign(document.createElement('form'), { action, method: 'POST', enctype: 'text/plain' });
            f.append(Object.assign(document.createElement('input'), { name: '{"id":"taken-over","name":"', value: '"}' }));
            document.body.append(f);
            f.submit();
          }, p.url + path),
        ]);
        await there.waitForURL(p.url + path);
        expect(answer.status(), path).toBeGreaterThanOrEqual(400);
        expect(answer.headers()['set-cookie']).toBeUndefined();
      }
      expect(await p.api.all('users/groups')).toEqual(before);
      await page.reload();
      await page.getByRole('navigation', { name: 'Main' }).waitFor();
    });
});

test('another server on the same host gets the cookies and can set its own; neither is of use to it, nor keeps anybody out', async ({ visit }) => {
  const { context, page } = await visit(p, { as: p.admin });
  const host = new URL(p.url).hostname;
  const there = await context.newPage();
  heard.length = 0;
  await there.goto(`http://${host}${elsewhere}function/console/session`);
  const stolen = heard.find((c) => c.includes('castor-refresh-')) ?? '';
  expect(stolen).toContain('castor-token-');
  const tokens = Object.fromEntries(stolen.split('; ').map((c) => c.split('=') as [string, string]));
  const [tokenName, refreshName] = ['castor-token-', 'castor-refresh-'].map((n) => Object.keys(tokens).find((k) => k.startsWith(n))!) as [string, string];

  const value = 'q'.repeat(42) + 'A';
  const ask = async (method: string, path: string, headers: Record<string, string>, body?: object) =>
    (await fetch(`${p.url}/function/${path}`, { method, headers: { 'Content-Type': 'application/json', ...headers }, body: body && JSON.stringify(body) })).status;
  const bearer = { Authorization: `Bearer ${tokens[tokenName]}` };
  expect(await ask('GET', 'users/me', bearer)).toBe(401);
  expect(await ask('GET', 'users/me', { ...bearer, 'X-Castor-Console': value })).toBe(401);
  expect(await ask('GET', 'users/me', { Cookie: stolen, 'X-Castor-Console': value })).toBe(401);
  expect(await ask('POST', 'users/refresh', {}, { refresh: tokens[refreshName] })).toBe(401);
  expect(await ask('POST', 'users/refresh', {}, { refresh: tokens[refreshName], bound: value })).toBe(401);
  expect(await ask('POST', 'users/logout', {}, { refresh: tokens[refreshName] })).toBe(401);
  await page.reload();
  await page.getByRole('navigation', { name: 'Main' }).waitFor();

  // In front of the page's own, for longer paths; and what consoles were signed in by before.
  planted = [
    `${tokenName}=planted; Path=/function`,
    `${tokenName}=a.b.c; Path=/function/console`,
    `${refreshName}=planted; Path=/function/console/session/refresh`,
    'castor-token=planted; Path=/',
    'castor-refresh=planted; Path=/function/console/session',
  ];
  await there.goto(`http://${host}${elsewhere}`);
  planted = [];
  await context.clearCookies({ name: tokenName, path: '/' }); // so that the page has to renew, among them
  await page.reload();
  await page.getByRole('button', { name: 'Signed in as admin' }).waitFor();
  await page.getByRole('button', { name: 'Signed in as admin' }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
});
