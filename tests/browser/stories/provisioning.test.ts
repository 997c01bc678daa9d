import { afterAll, beforeAll, expect } from 'vitest';
import { eventually } from '../harness/api';
import { Device, reading } from '../harness/device';
import { makePerson } from '../harness/people';
import { type Person, Platform } from '../harness/platform';
import { test } from '../harness/story';
import { publicKey, Wire } from '../harness/wire';

let p: Platform;
let mara: Person;
const devices: Promise<Device>[] = [];
beforeAll(async () => {
  p = await Platform.start();
  mara = await makePerson(p, 'mara', ['owner'], 'cooling', 'Cooling plant');
  await makeType('pump', 'semi-automatic', 'flow');
  await makeType('valve', 'manual', 'position');
});
afterAll(async () => {
  for (const d of await Promise.allSettled(devices)) if (d.status === 'fulfilled') await d.value.end();
  await p?.end();
});

/** A type whose devices come in by a model. */
const makeType = (id: string, provisioning: string, property: string) =>
  p.api.post('twins/twins', { id, kind: 'type', definition: { name: id, owner: 'cooling', model: { provisioning, properties: [{ name: property }] } } });

/** A pump that asks to come in, and waits until somebody lets it; the id of its run. */
async function ask(serial: string): Promise<{ device: Promise<Device>; run: string }> {
  const claim = await p.api.post('credentials/claims', { type: 'pump', owner: 'cooling', serials: serial, location: { site: 'Hall North' } });
  const device = Device.start(p, claim, serial);
  device.catch(() => {}); // who is declined never comes in
  devices.push(device);
  const run = await eventually(`${serial} waits for people`, async () =>
    (await p.api.all('twin-provision/runs?open=true&awaits=people')).find((r) => r.request.serial === serial)?.id,
  );
  return { device, run };
}

test('semi-automatic: who is asked sees what about, approves by the keyboard, and the device is in', async ({ visit }) => {
  const { page } = await visit(p, { as: mara, view: '/' });
  const { device, run } = await ask('P-1');
  // The number in the navigation tells it, wherever one is.
  await page.getByRole('link', { name: /^Provisioning\s*1 waiting for people$/ }).click();
  await page.getByRole('tab', { name: /For you/ }).click();
  await page.getByText('Device P-1 asks to come in as pump. Is it yours?').last().waitFor();
  await page.getByText('Hall North').waitFor();
  await page.getByText('it goes on: Identity is registered').waitFor();
  await page.getByRole('heading', { name: 'Provisioning', level: 1 }).click(); // no field has the focus
  await page.keyboard.press('a');
  await page.keyboard.press('Enter');
  await page.getByText('Say why: it stands in the run’s log.').waitFor(); // the field for it has the focus now
  await page.keyboard.type('on the delivery note');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByText('P-1 is approved').first().waitFor();
  await device;
  await page.goto(p.at(`/runs/${run}`));
  await page.getByText('completed', { exact: true }).first().waitFor();
  await page.getByText(/^mara approved it/).waitFor();
  await page.getByRole('img', { name: /State machine semi-automatic/ }).waitFor();
});

test('semi-automatic: a refusal needs a reason, which the run keeps', async ({ visit }) => {
  const { run } = await ask('P-2');
  const { page } = await visit(p, { as: mara, view: `/provisioning?tab=approvals&run=${run}` });
  await page.getByRole('button', { name: 'Decline' }).click();
  await page.getByText('Say why: it stands in the run’s log.').waitFor();
  await page.getByLabel('Reason').fill('not ours');
  await page.getByRole('button', { name: 'Decline' }).click();
  await page.getByText('P-2 is declined').first().waitFor();
  await eventually('the run has ended', async () => (await p.api.get(`twin-provision/runs/${run}`)).outcome === 'rejected');
  expect(await p.api.get(`twin-provision/runs/${run}`)).toMatchObject({ decision: { trigger: 'declined', by: 'user:mara', reason: 'not ours' } });
});

test('of two who decide the second is told that somebody was faster', async ({ visit }) => {
  const { device, run } = await ask('P-3');
  const { page, guard } = await visit(p, { as: mara, view: `/provisioning?tab=approvals&run=${run}` });
  await page.getByLabel('Reason').fill('too late');
  // The page does not hear of it in time.
  await page.route(new RegExp(`/runs/${run}$`), async (r) => {
    await new Promise((go) => setTimeout(go, 3_000));
    await r.continue().catch(() => {});
  });
  guard.allow(409, /\/decisions$/);
  await p.api.post(`twin-provision/runs/${run}/decisions`, { trigger: 'approved', reason: 'ours' });
  await page.getByRole('button', { name: 'Decline' }).click();
  await page.getByText(/^Somebody else was faster/).first().waitFor();
  await device;
});

test('manual, on a phone: step by step to a device that reports over HTTPS with the secret that was shown', async ({ visit }) => {
  const { page } = await visit(p, { as: mara, view: '/provisioning?tab=manual', phone: true });
  await page.getByLabel('Type').selectOption('valve');
  await page.getByLabel('Owner').selectOption('cooling');
  await page.getByLabel('It speaks').selectOption('http');
  await page.getByRole('button', { name: 'Begin' }).click();
  await page.getByRole('heading', { name: /^Put the device into its place/ }).waitFor();
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.getByText('Type or scan the serial.').waitFor();
  await page.getByLabel('Serial').fill('V-1');
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.getByRole('button', { name: 'Show it' }).click();
  const needs = page.getByRole('region', { name: 'What the device needs' });
  const gateway = await needs.locator('code').first().innerText();
  const token = await needs.getByTestId('secret').innerText();
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('heading', { name: 'Waits for the device' }).waitFor();

  const valve = await Wire.at(p, gateway);
  expect((await valve.post('/v1/telemetry', { epoch: 1, seq: 1, data: { position: 42 } }, `${token}x`)).status).toBe(401);
  expect((await valve.post('/v1/telemetry', { epoch: 1, seq: 1, data: { position: 42 } }, token)).status).toBe(200);
  await page.getByRole('heading', { name: 'V-1 is in' }).waitFor();
  await reading(p, 'v-1', 'position', 42);
  // Nowhere is it shown again.
  expect(await page.content()).not.toContain(token);
  const run = await p.api.get(`twin-provision/runs/${new URL(page.url()).pathname.split('/').at(-2)}`);
  expect(JSON.stringify(run)).not.toContain(token.split('.').at(-1));
  await page.getByRole('link', { name: 'To the twin' }).click();
  await page.getByRole('heading', { name: 'v-1', level: 1 }).waitFor();
});

test('unknown devices are admitted together, and banned, and let wait again', async ({ visit }) => {
  await makeType('fan', 'automatic', 'speed');
  const door = await Wire.at(p);
  const fans = ['F-1', 'F-2', 'F-3'].map((serial) => ({ serial, model: 'Fan 200', capabilities: ['speed'], publicKey: publicKey() }));
  const { page } = await visit(p, { as: p.admin, view: '/provisioning?tab=waiting' });
  await page.getByText('Nobody knocks').waitFor();
  for (const f of fans) expect(await door.post('/v1/knock', f)).toMatchObject({ status: 200, body: { status: 'pending' } });

  // They appear by themselves, with a guess; the first two are chosen as a range.
  const row = (serial: string) => page.getByRole('row').filter({ hasText: serial });
  await row('F-3').getByText('fan', { exact: true }).waitFor();
  await page.getByLabel('Select F-1').check();
  await page.getByLabel('Select F-2').click({ modifiers: ['Shift'] });
  await page.getByText('2 selected').waitFor();
  await page.getByRole('region', { name: 'Selected devices' }).getByRole('button', { name: 'Admit…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Admit 2 devices' });
  expect(await dialog.getByLabel('Type').inputValue()).toBe('fan');
  await dialog.getByLabel('Owner').selectOption('cooling');
  await dialog.getByRole('button', { name: 'Admit' }).click();
  await page.getByText('2 devices admitted: they come in when they knock again').first().waitFor();
  for (const f of fans.slice(0, 2)) {
    await door.post('/v1/knock', f);
    await eventually(`${f.serial} has its run`, async () => (await p.api.all('twin-provision/runs?type=fan')).some((r) => r.request.serial === f.serial));
  }

  await page.getByRole('button', { name: 'Ban F-3' }).click();
  await page.getByRole('dialog').getByLabel('Reason').fill('stolen');
  await page.getByRole('dialog').getByRole('button', { name: 'Ban' }).click();
  await page.getByText('1 device banned').first().waitFor();
  expect((await p.api.all('twin-provision/waiting?state=banned')).map((w) => [w.serial, w.reason])).toEqual([['F-3', 'stolen']]);
  await page.getByRole('button', { name: 'Undo' }).click();
  await row('F-3').waitFor();
});
