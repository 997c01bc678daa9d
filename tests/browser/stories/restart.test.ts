import { afterAll, beforeAll, expect } from 'vitest';
import { Device, makeType } from '../harness/device';
import { Platform } from '../harness/platform';
import { liveMark, test } from '../harness/story';

let p: Platform;
let kettle: Device;
beforeAll(async () => {
  p = await Platform.start();
  await p.api.post('users/groups', { id: 'kitchen', name: 'Kitchen' });
  await makeType(p, 'kettle', 'Kettle', [{ name: 'temperature', unit: 'Cel' }]);
  kettle = await Device.enrol(p, 'kettle', 'kitchen', 'KETTLE-1');
  await kettle.measure({ temperature: 41.25 });
});
afterAll(async () => {
  await kettle?.end();
  await p?.end();
});

test('the platform restarts under open pages: they say so, come back by themselves, and values move on', async ({ visit }) => {
  const fleet = await visit(p, { as: p.admin });
  const twin = await visit(p, { as: p.admin, view: `/twins/${kettle.twin}` });
  const pages = [fleet, twin];
  for (const { page } of pages) {
    await page.getByText('41.25').first().waitFor();
    await expect.poll(() => liveMark(page).textContent()).toBe('Live');
  }
  const before = pages.map(({ guard }) => guard.navigations.length);

  for (const { guard } of pages) guard.platformIsAway(true);
  await p.stop();
  for (const { page } of pages) await expect.poll(() => liveMark(page).textContent(), { timeout: 10_000 }).toMatch(/Reconnecting|No connection/);
  // What was known stays on the screen.
  for (const { page } of pages) expect(await page.getByText('41.25').count()).toBeGreaterThan(0);

  await p.start();
  for (const { page } of pages) await expect.poll(() => liveMark(page).textContent(), { timeout: 30_000 }).toBe('Live');
  for (const { guard } of pages) guard.platformIsAway(false);
  await kettle.measure({ temperature: 88.75 });
  for (const { page } of pages) await page.getByText('88.75').first().waitFor();
  await kettle.measure({ temperature: 92.5 });
  for (const { page } of pages) await page.getByText('92.5').first().waitFor();

  expect(pages.map(({ guard }) => guard.navigations.length), 'nothing was loaded anew').toEqual(before);
  for (const { page } of pages) expect(await page.getByRole('button', { name: 'Sign in' }).count()).toBe(0);
});
