import { afterAll, beforeAll, expect } from 'vitest';
import { Integration } from '../harness/integration';
import { clipped, inBothThemes } from '../harness/look';
import { makePerson } from '../harness/people';
import { type Person, Platform } from '../harness/platform';
import { test } from '../harness/story';

const eui = '0004A30B001C0530';
const twin = eui.toLowerCase();
const frame = 'A2cBEAVnAP8='; // Cayenne LPP: 27.2 °C on channel 3, 25.5 °C on channel 5

let p: Platform;
let mara: Person;
let server: Integration;
beforeAll(async () => {
  p = await Platform.start();
  mara = await makePerson(p, 'mara', ['owner'], 'cooling', 'Cooling plant');
  const model = { driver: 'cayenne-lpp', provisioning: 'relayed', properties: [{ name: 'temperature_3', unit: 'Cel' }] };
  await p.api.post('twins/twins', { id: 'meter', kind: 'type', definition: { name: 'Meters', owner: 'cooling', model } });
  server = await Integration.start(p, 'cooling', 'tts-1');
  for (const n of [1, 2, 3]) await server.hears(eui, n, frame); // nobody has brought it in yet
  await server.add('meter', 'cooling', eui);
});
afterAll(() => p?.end());

test('what a device sent before it was brought in is adopted and read, and its bridge says for whom it speaks', async ({ visit }) => {
  const { page } = await visit(p, { as: mara, view: `/twins/${server.twin}`, phone: true });
  await page.getByRole('heading', { name: 'Speaks for 1 device' }).waitFor();
  expect(await inBothThemes(page)).toEqual([]);
  await page.getByRole('link', { name: 'Which those are' }).click();
  await page.getByText('not heard yet').waitFor();
  await page.getByRole('link', { name: twin }).click();

  // The device says who speaks for it, and where what it sent before is.
  await page.getByText('Nothing reported yet').waitFor();
  await page.getByRole('link', { name: 'can be adopted' }).click();
  await page.getByText('Nothing is parked').waitFor();
  expect(await inBothThemes(page)).toEqual([]);
  await page.getByRole('button', { name: 'Adopt its messages' }).click();
  await page.getByRole('status').getByText('3 messages adopted').waitFor();
  await page.getByRole('listitem').filter({ hasText: '03 67 01 10 05 67 00 ff' }).first().waitFor();
  expect(await clipped(page)).toEqual([]);
  await page.getByRole('button', { name: 'Redrive' }).click();
  await page.getByText('done', { exact: true }).waitFor({ timeout: 60_000 });
  await page.getByText('Nothing is parked').waitFor();
  await page.getByRole('tab', { name: 'Overview' }).click();
  await page.getByText('27.2').first().waitFor();

  // Once more there is nothing that it could adopt.
  await page.goto(p.at(`/twins/${twin}?tab=parked`));
  await page.getByRole('button', { name: 'Adopt its messages' }).click();
  await page.getByText('There is none').waitFor();
}, 120_000);
