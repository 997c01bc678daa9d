import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect } from 'vitest';
import { Device, makeType } from '../harness/device';
import { change } from '../harness/people';
import { Platform } from '../harness/platform';
import { test } from '../harness/story';

let p: Platform;
let fan: Device;
beforeAll(async () => {
  p = await Platform.start();
  await p.api.post('users/groups', { id: 'attic', name: 'Attic' });
  await makeType(p, 'fan', 'Fan', [{ name: 'speed', unit: 'rpm' }]);
  fan = await Device.enrol(p, 'fan', 'attic', 'FAN-1');
  await change(p, fan.twin, { name: 'Attic fan' });
  await fan.remember(Array.from({ length: 200 }, (_, i) => ({ ago: (200 - i) * 60_000, data: { speed: 900 + (i % 5) } })));
});
afterAll(async () => {
  await fan?.end();
  await p?.end();
});

/** What has the focus, by its role and name; it must be visible that it has. */
async function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const e = document.activeElement as HTMLElement;
    const shows = (x: Element) => getComputedStyle(x).outlineStyle !== 'none' || getComputedStyle(x).boxShadow !== 'none';
    // A field may be drawn with its frame around it; what is not reached by Tab needs none.
    const frames = [e, e.parentElement, e.parentElement?.parentElement].filter((x) => x && x !== document.body);
    const ring = frames.some((x) => shows(x!)) || e === document.body || e.matches('#main, [role=tabpanel], [role=dialog]');
    const label = e.getAttribute('aria-label') ?? (e as HTMLInputElement).labels?.[0]?.textContent ?? e.textContent ?? '';
    return `${ring ? '' : 'NO RING '}${e.tagName.toLowerCase()} ${label.trim().slice(0, 60)}`;
  });
}

/** Presses Tab until something has the focus; everything on the way must show it. */
async function tabTo(page: Page, what: RegExp): Promise<void> {
  const way: string[] = [];
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press('Tab');
    const f = await focused(page);
    way.push(f);
    expect(f).not.toMatch(/^NO RING/);
    if (what.test(f)) return;
  }
  throw new Error(`Tab does not reach ${what}: ${way.join(' → ')}`);
}

test('everything is done by keyboard: signing in, finding a twin, setting a threshold', async ({ visit }) => {
  const { page, guard } = await visit(p);
  guard.allow(401, /\/session(\/refresh)?$/);
  await page.getByLabel('Name').waitFor();
  expect(await focused(page)).toMatch(/^input Name/);
  await page.keyboard.type('admin');
  await page.keyboard.press('Tab');
  await page.keyboard.type(p.admin.password);
  await page.keyboard.press('Enter');
  await page.getByRole('navigation', { name: 'Main' }).waitFor();
  await page.getByText('Attic fan').first().waitFor();

  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').waitFor();
  await page.keyboard.type('attic');
  await page.getByRole('option', { name: /Attic fan/ }).waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Attic fan', level: 1 }).waitFor();

  await tabTo(page, /^button Actions/);
  await page.keyboard.press('Enter');
  await page.getByRole('menuitem').first().waitFor();
  await page.keyboard.press('Escape');
  await expect.poll(() => focused(page)).toMatch(/^button Actions/);
  await page.keyboard.press('Enter');
  await page.getByRole('menuitem', { name: /Set a threshold/ }).waitFor();
  await page.keyboard.press('Enter');

  await page.getByRole('heading', { name: 'New rule' }).waitFor();
  await tabTo(page, /^input Property/);
  await page.keyboard.type('speed');
  await page.getByRole('option', { name: /speed/ }).waitFor();
  await page.keyboard.press('Enter');
  await page.getByText(/Suggested from the last/).waitFor();
  await tabTo(page, /^input Threshold/);
  await page.keyboard.press('Control+a');
  await page.keyboard.type('1200');
  await tabTo(page, /^input Name/);
  await page.keyboard.type('Fan too fast');
  await page.keyboard.press('Enter');
  await page.getByText('The rule is made').first().waitFor();

  // g and a letter goes places; the arrow keys walk a table.
  await page.keyboard.press('g');
  await page.keyboard.press('r');
  await page.getByText('Fan too fast').first().waitFor();
  await page.keyboard.press('g');
  await page.keyboard.press('f');
  await page.getByRole('row').filter({ hasText: 'Attic fan' }).waitFor();
  await tabTo(page, /^a .*Attic fan/);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Attic fan', level: 1 }).waitFor();
});

test('"To the content" is the first stop, and goes there', async ({ visit }) => {
  const { page } = await visit(p, { as: p.admin, view: '/rules' });
  await page.reload();
  await page.getByRole('heading', { name: 'Rules', level: 1 }).waitFor();
  await page.keyboard.press('Tab');
  expect(await focused(page)).toMatch(/To the content/);
  await page.keyboard.press('Enter');
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('main');
});
