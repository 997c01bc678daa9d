import { afterAll, beforeAll, expect } from 'vitest';
import { eventually } from '../harness/api';
import { Device, makeType } from '../harness/device';
import { clipped, findings } from '../harness/look';
import { makePerson } from '../harness/people';
import { type Person, Platform } from '../harness/platform';
import { test } from '../harness/story';

let p: Platform;
let dev: Person;
beforeAll(async () => {
  p = await Platform.start();
  dev = await makePerson(p, 'ada', ['configurator'], 'press');
  await makeType(p, 'th1', 'Thermometer', [
    { name: 'temperature', unit: 'Cel', min: -40, max: 85, id: 1, semantic: 'saref:Temperature', note: 'at the inlet' },
    { name: 'mode', type: 'string', enum: ['eco', 'full'], writable: true },
  ]);
  await p.api.post('twins/twins', { id: 'th-lab', kind: 'instance', definition: { name: 'Thermometer in the lab', type: 'th1', owner: 'press' } });
}, 120_000);
afterAll(() => p?.end());

const codec = (factor: number) => `function decodeUplink(input) {
  return { data: { temperature: ((input.bytes[0] << 8) | input.bytes[1]) / ${factor} } };
}
`;

test('a driver is written, tried on the bench, refused for what its tests say, published, tried on some and promoted', async ({
  visit,
}) => {
  const { page, guard } = await visit(p, { as: dev, view: '/drivers' });
  await page.getByRole('row').filter({ hasText: 'cayenne-lpp' }).getByText('platform').waitFor();
  await page.getByRole('link', { name: 'New driver' }).click();

  // The example runs as it is.
  const out = page.getByRole('region', { name: 'What came out' });
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await out.getByText('"temperature": 22').waitFor();
  await out.getByText(/\d ms/).waitFor();
  await page.getByRole('button', { name: 'Run the tests' }).click();
  await page.getByText('2 passed, 0 failed').waitFor();

  // Bytes are read as people write them; what is wrong is named.
  const bytes = page.getByLabel('Bytes', { exact: true });
  await bytes.fill('08 9x');
  await page.getByText('“x” at 5 is not a hexadecimal digit').waitFor();
  await bytes.fill('0x08:0x34 00');
  await bytes.press('Control+Enter');
  await out.getByText('"temperature": 21').waitFor();

  // Another codec: a test that it fails shows what was wanted beside what came.
  await page.getByLabel('The codec in JavaScript').fill(codec(10));
  await page.getByText('of an earlier input').waitFor();
  await page.getByRole('button', { name: 'Run the tests' }).click();
  await page.getByText('0 passed, 2 failed').waitFor();
  const differs = page.getByRole('table', { name: 'What differs in a warm day' });
  await differs.getByRole('row', { name: /data\.temperature/ }).waitFor();
  expect(await differs.getByRole('row', { name: /data\.temperature/ }).innerText()).toMatch(/22\s+220/);

  // Publishing is refused for the same reason; each test that fails is told once.
  await page.getByRole('button', { name: 'Publish…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('acme-th1');
  guard.allow(400, /\/versions$/);
  guard.allow(422, /\/versions$/);
  await dialog.getByRole('button', { name: 'Publish' }).click();
  await dialog.getByText(/frost.*want/).waitFor();
  await dialog.getByText('2 of 2 tests fail.').waitFor();
  expect((await dialog.getByRole('alert').innerText()).match(/a warm day/g)).toHaveLength(1);
  await dialog.getByRole('button', { name: 'Cancel' }).click();

  // Its own tests: the input and what comes out of it.
  for (const name of ['a warm day', 'frost']) await page.getByRole('button', { name: `Remove ${name}` }).click();
  await bytes.fill('00d7');
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await out.getByText('"temperature": 21.5').waitFor();
  await page.getByRole('button', { name: 'Add as a test…' }).click();
  await dialog.getByLabel('Name').fill('spring');
  await dialog.getByRole('button', { name: 'Add' }).click();
  await page.getByRole('button', { name: 'Run the tests' }).click();
  await page.getByText('1 passed, 0 failed').waitFor();
  await guard.quiet();
  expect(await findings(page)).toEqual([]);

  await page.getByRole('button', { name: 'Publish…' }).click();
  await dialog.getByLabel('Name').fill('acme-th1');
  await dialog.getByLabel('Title').fill('Acme TH1');
  await dialog.getByRole('button', { name: 'Publish' }).click();
  await page.getByRole('heading', { name: 'acme-th1' }).waitFor();
  expect(await p.api.get('drivers/drivers/acme-th1')).toMatchObject({
    owner: 'press',
    versions: [{ version: '1.0.0', state: 'draft', tests: 1 }],
  });

  const deeds = async (deed: RegExp) => {
    await page.getByRole('button', { name: 'Actions on 1.0.0' }).click();
    await page.getByRole('menuitem', { name: deed }).click();
  };
  await deeds(/Try on some/);
  // A canary is of devices, and not of types.
  // A twin that is typed and is none of the list is told, and not left out without a word. The list is not cut off by the dialog.
  const twins = dialog.getByRole('combobox', { name: 'And these twins' });
  await twins.fill('nowhere');
  await twins.press('Tab');
  await dialog.getByText('Choose a twin from the list').waitFor();
  expect(await dialog.getByRole('button', { name: 'Begin' }).isDisabled()).toBe(true);
  await twins.fill('th');
  const found = dialog.getByRole('option', { name: /Thermometer in the lab/ });
  await found.waitFor();
  expect(await dialog.getByRole('option').count()).toBe(1);
  await expect.poll(() => found.evaluate((o) => {
    const { x, y, width, height } = o.getBoundingClientRect();
    return o.contains(document.elementFromPoint(x + width / 2, y + height / 2));
  })).toBe(true);
  await twins.press('Escape');
  await dialog.getByText('Choose a twin from the list').waitFor({ state: 'hidden' });
  await dialog.getByRole('slider').fill('30');
  await dialog.getByRole('button', { name: 'Begin' }).click();
  await page.getByRole('row').filter({ hasText: '1.0.0' }).getByText('canary 30 %').waitFor();
  await deeds(/Promote/);
  await dialog.getByRole('button', { name: 'Promote' }).click();
  await page.getByRole('row').filter({ hasText: '1.0.0' }).getByText('active').waitFor();
  expect(await clipped(page)).toEqual([]);
});

test('a command is written on the bench by its name, and is tested by it', async ({ visit }) => {
  const { page } = await visit(p, { as: dev, view: '/new-driver' });
  await page.getByLabel('The codec in JavaScript').fill(`function encodeDownlink(input) {
  if (input.command !== 'open') return { errors: ['no command ' + input.command] };
  return { bytes: [1, input.data.percent], fPort: 2 };
}
`);
  const out = page.getByRole('region', { name: 'What came out' });
  const run = () => page.getByRole('button', { name: 'Run', exact: true }).click();
  const command = page.getByLabel('Command', { exact: true });
  await page.getByLabel('Do', { exact: true }).selectOption('encodeDownlink');
  await command.fill('close');
  await page.getByLabel('Input as JSON').fill('{"percent": 40}');
  await run();
  await out.getByText('no command close').waitFor();
  await command.fill('open');
  await run();
  await out.getByText('01 28').waitFor();
  await out.getByText('to port 2').waitFor();
  expect(await findings(page)).toEqual([]);

  // As a test it is asked the same again, and comes back into the bench as it was.
  for (const name of ['a warm day', 'frost']) await page.getByRole('button', { name: `Remove ${name}` }).click();
  await page.getByRole('button', { name: 'Add as a test…' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill('half open');
  await page.getByRole('dialog').getByRole('button', { name: 'Add' }).click();
  await page.getByRole('button', { name: 'Run the tests' }).click();
  await page.getByText('1 passed, 0 failed').waitFor();
  await command.fill('');
  await page.getByLabel('Data as JSON').fill('{}');
  await page.getByRole('button', { name: 'Put half open into the bench' }).click();
  await expect.poll(() => command.inputValue()).toBe('open');
  expect(JSON.parse(await page.getByLabel('Input as JSON').inputValue())).toEqual({ percent: 40 });
});

test('a declarative document: its faults stand at their lines', async ({ visit }) => {
  const { page, guard } = await visit(p, { as: dev, view: '/new-driver' });
  await page.getByRole('radio', { name: 'declarative' }).click();
  await page.getByLabel('The document in YAML').fill('castor: 1\nuplink:\n  fields:\n    - {name: t, type: i17x}\n');
  guard.allow(400, /\/runs$/);
  guard.allow(422, /\/runs$/);
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await page.getByRole('region', { name: 'What came out' }).getByRole('alert').getByText(/i17x/).waitFor();
  await page.getByLabel('The document in YAML').and(page.locator('[aria-invalid=true]')).waitFor();
});

test('a type is read by a driver that fails: parked, opened on the bench, mended, redriven, rolled back', async ({
  visit,
}) => {
  // It was written for another device.
  const broken = {
    name: 'acme-press',
    version: '1.0.0',
    kind: 'javascript',
    code: btoa('function decodeUplink(input) { throw new Error("no header"); }'),
    tests: [{ name: 'none', op: 'decodeUplink', bytes: 'AA==', want: { errors: [''] } }],
  };
  await p.api.post('drivers/drivers/acme-press/versions', { ...broken, owner: 'press' });
  await p.api.post('drivers/drivers/acme-press/versions/1.0.0/promote');
  await makeType(p, 'press', 'Press', [{ name: 'force', unit: 'N' }]);
  const device = await Device.enrol(p, 'press', 'press', 'PR-1');
  const { page } = await visit(p, { as: p.admin, view: '/types/press?tab=driver' });
  await page.getByRole('button', { name: 'Change…' }).click();
  await page.getByRole('dialog').getByLabel('Driver').selectOption('acme-press');
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await page.getByText('1.0.0', { exact: true }).waitFor();
  await expect.poll(async () => (await p.api.get('twins/twins/press')).definition.model.driver).toBe('acme-press');

  // The gateway hears of the type's driver by an event: until then the message is read as the platform's own.
  await eventually('a message is parked', async () => {
    device.send({ force: 7 });
    return (await p.api.get(`twins/twins/${device.twin}`)).live.parked > 0;
  });

  // On the device: why, and what it was; on the bench it is as it came.
  await page.goto(p.at(`/twins/${device.twin}?tab=parked`));
  await page
    .getByText(/no header/)
    .first()
    .waitFor();
  await page
    .getByRole('button', { name: /in the bench/ })
    .first()
    .click();
  const text = page.getByLabel('Text', { exact: true });
  await expect.poll(() => text.inputValue()).toMatch(/^\{.*"force": ?7/);
  await page.getByRole('radio', { name: 'Hex' }).click();
  const bytes = page.getByLabel('Bytes', { exact: true });
  await expect.poll(() => bytes.inputValue()).toMatch(/^7b( [0-9a-f]{2})+$/);
  const came = await bytes.inputValue();
  await bytes.fill('ff');
  await page.getByRole('radio', { name: 'Text' }).click();
  await page.getByText('Not shown as text').first().waitFor();
  expect(await bytes.inputValue()).toBe('ff');
  await bytes.fill(came);
  const out = page.getByRole('region', { name: 'What came out' });
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await out.getByText(/no header/).waitFor();

  // Mended in place, with the message as its test, and published as the next version.
  await page.getByLabel('The codec in JavaScript').fill(`function decodeUplink(input) {
  return { data: JSON.parse(String.fromCharCode.apply(null, input.bytes)).data };
}
`);
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await out.getByText('"force": 7').waitFor();
  await page.getByRole('button', { name: 'Add as a test…' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill('as it came');
  await page.getByRole('dialog').getByRole('button', { name: 'Add' }).click();
  await page.getByRole('button', { name: 'Remove none' }).click();
  await page.getByRole('button', { name: 'Publish…' }).click();
  expect(await page.getByRole('dialog').getByLabel('Version').inputValue()).toBe('1.0.1');
  await page.getByRole('dialog').getByRole('button', { name: 'Publish' }).click();
  await page.getByRole('button', { name: 'Actions on 1.0.1' }).click();
  await page.getByRole('menuitem', { name: /Promote/ }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Promote' }).click();
  await page.getByRole('row').filter({ hasText: '1.0.1' }).getByText('active').waitFor();

  // What was parked becomes history.
  await page.getByRole('tab', { name: 'Parked messages' }).click();
  await page
    .getByText(/no header/)
    .first()
    .waitFor();
  await page.getByRole('button', { name: 'Redrive' }).click();
  await page.getByText('done', { exact: true }).waitFor({ timeout: 60_000 });
  await page.getByText('Nothing is parked').waitFor();
  const { live } = await p.api.get(`twins/twins/${device.twin}`);
  expect(live.parked).toBe(0);
  expect(live.reported).toMatchObject([{ property: 'force', value: 7 }]);

  // Rolled back: the one before counts again.
  await page.getByRole('tab', { name: 'Versions' }).click();
  await page.getByRole('button', { name: 'Actions on 1.0.1' }).click();
  await page.getByRole('menuitem', { name: /Withdraw/ }).click();
  await page.getByText(/use 1\.0\.0 again/).waitFor();
  await page.getByLabel('Reason').fill('force is in kN');
  await page.getByRole('dialog').getByRole('button', { name: 'Withdraw' }).click();
  await page.getByRole('row').filter({ hasText: '1.0.1' }).getByText('withdrawn').waitFor();
  await page.getByText('force is in kN').waitFor();

  // A long state has its own line on a phone.
  await p.api.post('drivers/drivers/acme-press/versions/1.0.1/canary', { percent: 40, twins: [device.twin] });
  const phone = await visit(p, { as: p.admin, view: '/drivers', phone: true });
  await phone.page.getByText('canary 40 % and 1 named twin').waitFor();
  expect(await clipped(phone.page)).toEqual([]);
  await device.end();
}, 180_000);

test('a version in quarantine: how it is mended is a link, and once a newer one counts nothing is red any more', async ({
  visit,
}) => {
  const codec = (body: string) => btoa(`function decodeUplink(input) { ${body} }`);
  const version = (v: string, body: string) => ({
    name: 'acme-loop',
    version: v,
    kind: 'javascript',
    owner: 'press',
    code: codec(`if (input.bytes[0] === 0) return { data: { force: 0 } }; ${body}`),
    tests: [{ name: 'none', op: 'decodeUplink', bytes: 'AA==', want: { data: { force: 0 } } }],
  });
  const add = async (v: string, body: string) => {
    await p.api.post('drivers/drivers/acme-loop/versions', version(v, body));
    await p.api.post(`drivers/drivers/acme-loop/versions/${v}/promote`);
  };
  await add('1.0.0', 'for (;;) {}');
  await makeType(p, 'loop', 'Loop', [{ name: 'force', unit: 'N' }]);
  const device = await Device.enrol(p, 'loop', 'press', 'LP-1');
  await p.api.patch('twins/twins/loop/definition', { model: { driver: 'acme-loop' } });
  const versionOf = async () => (await p.api.get('drivers/drivers/acme-loop')).versions.find((v: { version: string }) => v.version === '1.0.0');
  await eventually('it is in quarantine', async () => {
    device.send({ force: 7 });
    return (await versionOf()).state === 'quarantined';
  });

  const { page } = await visit(p, { as: p.admin, view: '/drivers/acme-loop' });
  await page.getByRole('button', { name: 'Actions on 1.0.0' }).click();
  await page.getByRole('menuitem', { name: /Try on some/ }).click();
  await page.getByRole('dialog').getByText(/It is in quarantine: /).waitFor();
  await page.keyboard.press('Escape');
  const red = page.getByRole('region', { name: 'Quarantine of 1.0.0' });
  await red.getByRole('link', { name: 'publish a fixed version' }).click();
  await expect.poll(() => page.url()).toContain('tab=bench&version=1.0.0');
  await page.getByLabel('The codec in JavaScript').waitFor();
  await add('1.0.1', 'return { data: { force: 1 } };');
  await page.goto(p.at('/drivers/acme-loop'));
  await page.getByText('No device waits for it').waitFor();
  expect(await red.count()).toBe(0);
  await device.end();
}, 120_000);

test('a type’s page on a phone, in the dark', async ({ visit }) => {
  const { page } = await visit(p, { as: p.admin, view: '/types/th1', phone: true, dark: true });
  await page.getByText('saref:Temperature').waitFor();
  await page.getByText('eco, full').waitFor();
  await page.getByText('can be set').waitFor();
  expect(await findings(page)).toEqual([]);
  expect(await clipped(page)).toEqual([]);
  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Thing Model' }).click();
  expect((await saved).suggestedFilename()).toBe('th1.tm.jsonld');
});
