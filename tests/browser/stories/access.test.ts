import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect } from 'vitest';
import { eventually } from '../harness/api';
import { Device, makeType, reading } from '../harness/device';
import { makePerson } from '../harness/people';
import { type Person, Platform } from '../harness/platform';
import { test } from '../harness/story';
import { publicKey, Wire } from '../harness/wire';

let p: Platform;
let mara: Person;
const devices: Device[] = [];
beforeAll(async () => {
  p = await Platform.start();
  mara = await makePerson(p, 'mara', ['owner'], 'cooling', 'Cooling plant');
  await makeType(p, 'pump', 'Pump', [{ name: 'flow', unit: 'L/min' }]);
});
afterAll(async () => {
  for (const d of devices) await d.end();
  await p?.end();
});

/** What a person saves at the hand-over: the claim as a device takes it. */
async function claimFile(page: Page): Promise<any> {
  await page.getByRole('heading', { name: 'Hand it over' }).waitFor();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download the claim file' }).click()]);
  return JSON.parse(await readFile(await download.path(), 'utf8'));
}

/** A device that is in and has reported. */
async function enrol(serial: string, flow: number): Promise<Device> {
  const d = await Device.enrol(p, 'pump', 'cooling', serial);
  devices.push(d);
  await d.measure({ flow });
  return d;
}

test('a claim for named serials: its QR code, what it names, one device by it, and its end', async ({ visit }) => {
  const { page } = await visit(p, { as: mara, view: '/claims/new?type=pump' });
  await page.getByRole('radio', { name: /Named serials/ }).check();
  await page.getByRole('textbox', { name: 'Serials' }).fill('N-1\nN-2\nN-3');
  await page.getByLabel('Protocol').selectOption('http');
  await page.getByLabel('Note').fill('for hall 3');
  await page.getByRole('button', { name: 'Make the claim' }).click();
  const file = await claimFile(page);
  await page.getByRole('img', { name: `QR code of claim ${file.claim.id}` }).waitFor();
  await page.getByRole('list', { name: 'Serials' }).getByText('N-3').waitFor();
  await page.getByLabel('Is this one among them?').fill('N-9');
  await page.getByText('The claim does not name this serial.').waitFor();

  const door = await Wire.at(p, file.gateway);
  const ask = (serial: string) =>
    door.post('/v1/provision/pump?wait=30', { serial, publicKey: publicKey(), kind: 'token' }, `${file.claim.id}.${file.token}`);
  expect(await ask('N-1')).toMatchObject({ status: 200, body: { status: 'accepted' } });

  // It is found by what it says, and ended where it is looked at.
  await page.goto(p.at('/claims'));
  await page.getByLabel('Search').fill('hall 3');
  const row = page.getByRole('row').filter({ hasText: file.claim.id }).or(page.getByRole('row').filter({ hasText: 'for hall 3' }));
  await row.getByText('1 of 3').waitFor();
  await page.getByLabel('Search').fill('nowhere');
  await page.getByText('No claim matches').waitFor();
  await page.getByLabel('Search').fill('');
  await row.getByRole('link', { name: '3 named serials' }).click();
  await page.getByRole('button', { name: 'Revoke…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('heading', { name: 'The claim was revoked' }).waitFor();
  await eventually('nobody comes in with it any more', async () => (await ask('N-2')).status === 401);
});

test('labels for a batch are made, each with its code, and are gone with the page', async ({ visit }) => {
  const { page } = await visit(p, { as: mara, view: '/claims/new?type=pump' });
  await page.getByRole('radio', { name: /A claim for each serial/ }).check();
  await page.getByRole('textbox', { name: 'Serials' }).fill('L-1\nL-2');
  await page.getByLabel('Batch').fill('lot-1');
  await page.getByRole('button', { name: 'Make 2 claims' }).click();
  await page.getByRole('heading', { name: 'Labels of lot-1' }).waitFor();
  await page.emulateMedia({ media: 'print' });
  expect(await page.getByRole('img', { name: /^QR code of claim/ }).count()).toBe(2);
  expect(await page.getByRole('navigation', { name: 'Main' }).isVisible()).toBe(false);
  expect(await page.getByRole('button', { name: 'Print' }).isVisible()).toBe(false);
  await page.emulateMedia({ media: 'screen' });
  await page.reload();
  await page.getByText('The labels cannot be shown again').waitFor();
});

test('a device is replaced: the new one takes the twin over, with its history', async ({ visit }) => {
  const old = await enrol('OLD-1', 7);
  const { page, guard } = await visit(p, { as: mara, view: `/twins/${old.twin}?tab=access` });
  guard.allow(409, /\/identities$/); // the new serial is known already: the replacement has made it so
  await page.getByText('in use').waitFor();
  await page.getByRole('button', { name: 'Replace…' }).click();
  await page.getByLabel('Serial of the new device').fill('NEW-1');
  await page.getByLabel('Reason').fill('worn out');
  await page.getByRole('dialog').getByRole('button', { name: 'Replace' }).click();
  await page.getByText('NEW-1 takes over: make a claim for it').first().waitFor();
  await page.getByLabel('Serial', { exact: true }).fill('NEW-1');
  await page.getByRole('button', { name: 'Make the claim' }).click();
  const next = await Device.start(p, await claimFile(page), 'NEW-1');
  devices.push(next);
  expect(next.twin).toBe(old.twin);
  await next.measure({ flow: 8 });
  await reading(p, next.twin, 'flow', 8);
  const told = await p.api.get(`twin-history/twins/${next.twin}`);
  expect(JSON.stringify(told)).toContain('7');

  // On its page: the credential of the old one has ended, that of the new one counts.
  await page.goto(p.at(`/twins/${next.twin}?tab=access`));
  await page.getByText('in use').waitFor();
  await page.getByText('ended', { exact: true }).first().waitFor();
  const claim = await p.api.post('credentials/claims', { type: 'pump', owner: 'cooling', serials: 'OLD-1' });
  const door = await Wire.at(p);
  const refused = await door.post('/v1/provision/pump?wait=30', { serial: 'OLD-1', publicKey: publicKey(), kind: 'token' }, `${claim.claim.id}.${claim.token}`);
  expect(refused.body).toMatchObject({ status: 'rejected', reason: expect.stringContaining('replaced') });
}, 90_000);

test('a credential is renewed by its device, and revoked by people: the device is out', async ({ visit }) => {
  await p.api.post('twins/twins', { id: 'fan', kind: 'type', definition: { name: 'Fan', model: { properties: [{ name: 'speed' }], credentialLifetime: '12s' } } });
  const d = await Device.enrol(p, 'fan', 'cooling', 'FAN-1');
  devices.push(d);
  await d.measure({ speed: 1 });
  const { page } = await visit(p, { as: mara, view: `/twins/${d.twin}?tab=access` });
  await page.getByText('by its device').first().waitFor({ timeout: 30_000 });
  await page.getByText('renewed', { exact: true }).first().waitFor();
  expect(await page.getByText('in use').count()).toBe(1);
  await d.measure({ speed: 2 }); // it goes on
  await page.getByRole('button', { name: 'Revoke…' }).first().click();
  await page.getByRole('dialog').getByLabel('Reason').fill('stolen');
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await page.getByText('stolen').first().waitFor();
  await page.getByText(/by mara$/).first().waitFor();
  await eventually('the device is out', async () => (await p.api.get(`twins/twins/${d.twin}`)).live.presence?.connected === false);
}, 90_000);
