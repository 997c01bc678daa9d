import { afterAll, beforeAll, expect } from 'vitest';
import { eventually } from '../harness/api';
import { Device, makeType } from '../harness/device';
import { Gateway } from '../harness/gateway';
import { makePerson } from '../harness/people';
import { Platform } from '../harness/platform';
import { test } from '../harness/story';

let p: Platform;
let second: Gateway;
let device: Device;
beforeAll(async () => {
  p = await Platform.start({ nats: true });
  await makePerson(p, 'ada', ['configurator'], 'press');
  await makeType(p, 'pump', 'Pump', [{ name: 'pressure', unit: 'bar' }]);
  device = await Device.enrol(p, 'pump', 'press', 'GW-1');
  second = await Gateway.start(p, 'operational-2', 'hall-3');
}, 120_000);
afterAll(async () => {
  await device?.end();
  await second?.end();
  await p?.end();
});

test('a gateway is drained: its device moves to another, reports on, and the page says why it is there', async ({ visit }) => {
  const { page } = await visit(p, { as: p.admin, view: '/gateways' });
  await page.getByRole('row').filter({ hasText: 'operational-2' }).getByText('alive').waitFor();
  await page.getByRole('link', { name: 'operational-1', exact: true }).click();
  const row = page.getByRole('row').filter({ hasText: device.twin });
  await row.getByText('let in').waitFor();
  await device.measure({ pressure: 4 });

  await page.getByRole('button', { name: 'Drain…' }).click();
  await page.getByLabel('Reason').fill('new kernel');
  await page.getByRole('dialog').getByRole('button', { name: 'Drain' }).click();
  await page.getByText('draining', { exact: true }).waitFor();
  await page.getByText('All devices have left.').waitFor({ timeout: 45_000 });
  await page.getByText('No device', { exact: true }).waitFor();

  // The device has reconnected there: what it measures comes through the other gateway.
  await device.measure({ pressure: 5 });
  await eventually('the twin is seen at the other gateway', async () => (await p.api.get(`twins/twins/${device.twin}`)).live.presence?.gateway === 'operational-2');

  // On the twin: where it has its place, and why.
  await page.goto(p.at(`/twins/${device.twin}?tab=access`));
  await page.getByText(/new kernel/).first().waitFor();
  await page.getByRole('link', { name: 'operational-2' }).click();
  await page.getByRole('row').filter({ hasText: device.twin }).waitFor();

  await page.goto(p.at('/gateways/operational-1'));
  await page.getByRole('button', { name: 'Resume' }).click();
  await page.getByRole('button', { name: 'Drain…' }).waitFor();

  // Moved back, alone.
  await page.goto(p.at('/gateways/operational-2'));
  await page.getByRole('button', { name: `Move… ${device.twin}` }).click();
  await page.getByLabel('To', { exact: true }).selectOption('operational-1');
  await page.getByLabel('Reason').fill('nearer');
  await page.getByRole('dialog').getByRole('button', { name: 'Move' }).click();
  await eventually('it is back', async () => (await p.api.get(`gateways/assignments?twin=${device.twin}`)).items[0]?.gateway === 'operational-1');
  await device.measure({ pressure: 6 });
  expect((await p.api.get(`twins/twins/${device.twin}`)).live.reported).toMatchObject([{ property: 'pressure', value: 6 }]);
}, 120_000);

test('a device is suspended and resumed, and decommissioned with a proof', async ({ visit }) => {
  const { page, guard } = await visit(p, { as: p.admin, view: `/twins/${device.twin}?tab=access` });
  await page.getByText('in use').waitFor();
  for (const [verb, phase] of [
    ['Suspend', 'suspended'],
    ['Resume', 'operational'],
  ] as const) {
    await page.getByRole('button', { name: `${verb}…` }).click();
    await page.getByLabel('Reason').fill('it leaks');
    await page.getByRole('dialog').getByRole('button', { name: verb }).click();
    await eventually(phase, async () => (await p.api.get(`twins/twins/${device.twin}`)).definition.phase === phase);
  }
  await page.getByRole('button', { name: 'Decommission…' }).click();
  await page.getByLabel('Reason').fill('scrapped');
  guard.allow(404, new RegExp(`(${device.twin}|runs|rules|credentials|assignments)$`)); // what the page shows of it goes
  await page.getByRole('dialog').getByRole('button', { name: 'Decommission' }).click();
  await eventually('the proof is done', async () => (await p.api.get(`twins/decommissions/${device.twin}`)).state === 'done', 45_000);
  await page.goto(p.at(`/twins/${device.twin}`));
  await page.getByRole('heading', { name: 'Decommissioned' }).waitFor();
  await page.getByText('scrapped').waitFor();
  await page.getByText(/ended/).first().waitFor();

  // Its run had completed: that its twin went is no failure, and who did it is called by name.
  await page.goto(p.at('/provisioning?show=ended'));
  const row = page.getByRole('row').filter({ hasText: 'GW-1' });
  await row.getByText('twin gone').waitFor();
  await row.getByRole('link', { name: 'GW-1', exact: true }).click();
  await page.getByText('completed, twin gone').waitFor();
  await page.getByText(/^Decommissioned by admin on .*: scrapped/).waitFor();
  expect(await page.getByText('refused', { exact: true }).count()).toBe(0);
}, 120_000);
