import { afterAll, beforeAll, describe, expect } from 'vitest';
import { Platform } from '../harness/platform';
import { liveMark, signIn, test } from '../harness/story';
import { inBothThemes } from '../harness/look';

let p: Platform;
beforeAll(async () => {
  p = await Platform.start();
});
afterAll(() => p?.end());

describe('signing in', () => {
  test('a wrong password is said, the right one opens what was asked for, and it lasts', async ({ visit }) => {
    const { page, guard, context } = await visit(p, { view: '/alarms' });
    guard.allow(401, /\/session(\/refresh)?$/);
    expect(await inBothThemes(page)).toEqual([]);
    await page.getByLabel('Name').fill('admin');
    await page.getByLabel('Password', { exact: true }).fill('not this one');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect.poll(() => page.getByRole('alert').textContent()).toMatch(/\w/);
    await signIn(page, p.admin, guard);
    expect(page.url()).toBe(p.at('/alarms'));
    await expect.poll(() => liveMark(page).textContent()).toBe('Live');

    const cookies = await context.cookies();
    expect(cookies.map((c) => c.name.replace(/-[0-9a-f]{16}$/, '-ID')).sort()).toEqual(['castor-refresh-ID', 'castor-token-ID']);
    for (const c of cookies) expect(c).toMatchObject({ httpOnly: true, sameSite: 'Strict' });
    expect(await page.evaluate(() => document.cookie)).toBe('');
    const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
    for (const c of cookies) expect(kept).not.toContain(c.value);

    await page.reload();
    await page.getByRole('navigation', { name: 'Main' }).waitFor();
    const second = await context.newPage();
    await second.goto(p.at('/rules'));
    await second.getByRole('navigation', { name: 'Main' }).waitFor();

    await page.getByRole('button', { name: 'Signed in as admin' }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    expect(await context.cookies()).toEqual([]);
    await page.reload();
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    await second.reload();
    await second.getByRole('button', { name: 'Sign in' }).waitFor();
  });

  test('who renews the access token stays; who cannot is asked to sign in, and is where he was', async ({ visit }) => {
    const { page, guard, context } = await visit(p, { as: p.admin, view: '/rules' });
    await context.clearCookies({ name: /^castor-token-/ });
    await page.reload();
    await page.getByRole('navigation', { name: 'Main' }).waitFor();
    expect((await context.cookies()).map((c) => c.name.slice(0, 13))).toContain('castor-token-');
    guard.allow(401, /./);
    await context.clearCookies();
    await page.reload();
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    await signIn(page, p.admin, guard);
    expect(page.url()).toBe(p.at('/rules'));
  });

  test('guessing is slowed down, and the page says so', async ({ visit }) => {
    const { page, guard } = await visit(p);
    guard.allow(401, /\/session/);
    guard.allow(429, /\/session$/);
    const guesses = await page.evaluate(async () => {
      const all: number[] = [];
      for (let i = 0; i < 12; i++) {
        const r = await fetch('/function/console/session', {
          method: 'POST',
          headers: { 'Content-Type': 'application/json', 'X-Castor-Console': 'p'.repeat(42) + 'A' },
          body: JSON.stringify({ name: 'somebody', password: `guess ${i}` }),
        });
        all.push(r.status);
      }
      return all;
    });
    expect(guesses.slice(0, 10)).toEqual(Array(10).fill(401));
    expect(guesses.at(-1)).toBe(429);
    await page.getByLabel('Name').fill('somebody');
    await page.getByLabel('Password', { exact: true }).fill('one more guess');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect.poll(() => page.getByRole('alert').textContent()).toMatch(/too many|wait|again in|slow/i);
  });
});
