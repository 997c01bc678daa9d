import { afterAll, beforeAll, expect } from 'vitest';
import { Device, makeType } from '../harness/device';
import { Platform } from '../harness/platform';
import { test } from '../harness/story';

let p: Platform;
let oven: Device;
beforeAll(async () => {
  p = await Platform.start();
  await p.api.post('users/groups', { id: 'bakery', name: 'Bakery' });
  await makeType(p, 'oven', 'Oven', [{ name: 'temperature', unit: 'Cel' }]);
  oven = await Device.enrol(p, 'oven', 'bakery', 'OVEN-1');
  // A day that was once too hot, for half an hour, ten hours ago.
  const values = Array.from({ length: 24 * 60 }, (_, i) => ({ ago: (24 * 60 - i) * 60_000, data: { temperature: i >= 840 && i < 870 ? 280 : 200 + (i % 7) } }));
  await oven.remember(values);
});
afterAll(async () => {
  await oven?.end();
  await p?.end();
});

test('a threshold is set by the form, crossed, seen, acknowledged, undone, and cleared', async ({ visit }) => {
  const { page } = await visit(p, { as: p.admin, view: `/rules/new?twin=${oven.twin}&property=temperature` });
  await page.evaluate(() => Object.assign(window, { stillTheSamePage: true }));

  const threshold = page.getByRole('textbox', { name: /^Threshold/ });
  await page.getByText(/Suggested from the last/).waitFor();
  // What it would have done yesterday is told before it is saved.
  await threshold.fill('250');
  await page.getByText(/would have raised 1 alarm/i).waitFor();
  await threshold.fill('195');
  await page.getByText(/would have raised 1 alarm/i).waitFor();
  await threshold.fill('not a number');
  await page.getByRole('button', { name: 'Make the rule' }).click();
  expect(await threshold.getAttribute('aria-invalid')).toBe('true');
  await threshold.fill('250');
  await page.getByLabel('Clear at').fill('240');
  await page.getByLabel('For', { exact: true }).fill('0');
  await page.getByLabel('critical').check();
  await page.getByLabel('Name', { exact: true }).fill('Oven too hot');
  await page.getByRole('button', { name: 'Make the rule' }).click();
  await page.getByText('The rule is made').first().waitFor();

  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: /Alarms/ }).click();
  await page.getByRole('heading', { name: 'Alarms', level: 1 }).waitFor();
  const alarm = page.getByRole('main').getByText('Oven too hot').first();
  expect(await alarm.count()).toBe(0);
  await oven.measure({ temperature: 263.5 });
  await alarm.waitFor();
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: /Alarms.*1/ }).waitFor();
  await page.getByRole('main').getByText('263.5').first().waitFor();

  await page.getByRole('button', { name: /^Take on Oven too hot/ }).click();
  const [open] = await p.api.all('alerts/alarms?state=open');
  const state = async () => (await p.api.get(`alerts/alarms/${encodeURIComponent(open.id)}`)).state;
  await page.getByText('has taken it on').waitFor();
  await expect.poll(state).toBe('acknowledged');
  await page.getByRole('listitem').filter({ hasText: 'You have taken on' }).getByRole('button', { name: 'Undo' }).click();
  await expect.poll(state).toBe('raised');
  await page.getByRole('button', { name: /^Take on Oven too hot/ }).waitFor();

  // Between clear value and threshold it goes on; below, it is over, and leaves the list when nobody reads in it.
  await oven.measure({ temperature: 245 });
  await page.waitForTimeout(700);
  expect(await state()).toBe('raised');
  await oven.measure({ temperature: 210 });
  await expect.poll(state).toBe('cleared');
  await page.getByRole('heading', { name: 'Alarms', level: 1 }).click();
  await page.getByText(/nothing is wrong/i).waitFor();
  expect(await page.evaluate(() => 'stillTheSamePage' in window)).toBe(true);
});
