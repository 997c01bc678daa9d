import { afterAll, beforeAll, expect } from 'vitest';
import { Platform } from '../harness/platform';
import { liveMark, test } from '../harness/story';

let p: Platform;
beforeAll(async () => {
  p = await Platform.start({ agent: true });
});
afterAll(() => p?.end());

test('this machine comes in by itself, each step can be read, and its metrics move', async ({ visit }) => {
  const { page, guard } = await visit(p, { as: p.admin });
  const row = page.getByRole('row').filter({ hasText: 'host-' });
  await row.filter({ hasText: 'operational' }).filter({ hasText: 'online' }).waitFor();
  const opened = guard.navigations.length;
  await expect.poll(() => liveMark(page).textContent()).toBe('Live');

  await row.getByRole('link').first().click();
  await page.getByRole('heading', { name: /^host-/, level: 1 }).waitFor();
  const reported = page.getByRole('table', { name: 'Reported state' });
  await reported.getByRole('row').filter({ hasText: 'cpu.percent' }).waitFor();
  const messages = page.getByRole('term').filter({ hasText: /^Messages$/ }).locator('xpath=following-sibling::dd');
  for (const moving of [reported, messages]) {
    const said = new Set<string>();
    await expect.poll(async () => said.add(await moving.innerText()).size, { timeout: 15_000 }).toBeGreaterThan(2);
  }
  expect(await page.locator('canvas').count()).toBeGreaterThan(3);

  await page.getByRole('tab', { name: 'Provisioning' }).click();
  for (const step of ['check-claim', 'check-identity', 'issue-credential', 'register-gateway', 'gateway-ready', 'deliver', 'device-confirm', 'activate'])
    await page.getByRole('listitem').filter({ hasText: step }).first().waitFor();
  await page.getByText('completed').first().waitFor();
  expect(page.url()).toContain('tab=provisioning');
  expect(guard.navigations.filter((_, i) => i >= opened).every((u) => u.startsWith(p.url))).toBe(true);

  // Back is back, and an address can be shared.
  await page.goBack();
  await row.waitFor();
  await page.goForward();
  await page.getByRole('heading', { name: /^host-/, level: 1 }).waitFor();
});

test('its ping comes back', async ({ visit }) => {
  const { page } = await visit(p, { as: p.admin });
  await page.getByRole('row').filter({ hasText: 'host-' }).getByRole('link').first().click();
  await page.getByRole('button', { name: 'Actions' }).click();
  await page.getByRole('menuitem', { name: 'Ping the device' }).click();
  await page.getByRole('dialog').getByText(/answered|succeeded/i).first().waitFor();
});
