import { afterAll, beforeAll, expect } from 'vitest';
import { Device, makeType } from '../harness/device';
import { clipped, overflow } from '../harness/look';
import { change, setRule } from '../harness/people';
import { Platform } from '../harness/platform';
import { test } from '../harness/story';
import { publicKey, Wire } from '../harness/wire';

// What people and devices may call themselves. Whatever of it ran would set window.ran, open a dialog or ask somebody else.
const script = '<script>window.ran=1</script><img src=x onerror="window.ran=1">';
const backwards = '\u202egnp.exe\u2066\u200f שלום \u202d';
const emoji = '👩‍👩‍👧‍👦🏴󠁧󠁢󠁳󠁣󠁴󠁿'.repeat(2);
const unbroken = 'W'.repeat(128);
const names = [script, backwards, emoji, unbroken, '"><svg onload=alert(1)>', "'; alert(1)//", '{{constructor.constructor("alert(1)")()}}'];
const long = `<b onmouseover=alert(1)>${'ü'.repeat(5000)}</b>`; // 10 KB

let p: Platform;
const devices: Device[] = [];
const runs: string[] = [];
beforeAll(async () => {
  p = await Platform.start();
  await p.api.post('users/groups', { id: 'circus', name: script.slice(0, 60) });
  // A type may not declare such a name; a device may report one all the same.
  const property = '"><script>window.ran=1</script>';
  await makeType(p, 'clown', script, [
    { name: 'level', unit: '<img/src=x/onerror=alert(1)>' },
    { name: 'mood', type: 'string', note: script },
    { name: '{{alert(1)}}', unit: '</td><script>' },
  ]);
  for (const [i, name] of names.entries()) {
    const d = await Device.enrol(p, 'clown', 'circus', `CLOWN-${i}`);
    devices.push(d);
    await change(p, d.twin, { name, tags: ['a/b:c=d', 'T'.repeat(64)], location: { site: backwards, region: '<i>x</i>' } });
    await d.measure({ [property]: i, '{{alert(1)}}': i, mood: i ? names[i]! : long, level: 5 + i });
    await d.log('app', '<b>error</b>', long);
    await d.log('app', 'warn', names[i]!);
  }
  await setRule(p, devices[0]!.twin, 'level > 1', 'critical', script);
  await setRule(p, devices[1]!.twin, 'level > 1', 'warning', 'שלום <i>');
  for (const d of devices) await d.measure({ level: 9.5 });
  // What people write into claims, and devices into their requests. Serials are plain, but as long as they may be.
  for (const serials of [unbroken.slice(0, 64), backwards, emoji.slice(0, 30), script.slice(0, 40)])
    await p.api.post('credentials/claims', { type: 'clown', owner: 'circus', serials, note: script.repeat(4), location: { site: backwards } });
  await p.api.post('credentials/claims', { type: 'clown', owner: 'circus', identities: [unbroken.slice(0, 64), 'C-1'], batch: 'B'.repeat(64) });
  await p.api.post('twins/twins', { id: 'juggler', kind: 'type', definition: { name: backwards, model: { provisioning: 'manual' } } });
  const run = await p.api.post('twin-provision/runs', { type: 'juggler', owner: 'circus', serial: unbroken.slice(0, 64), publicKey: publicKey(), reason: script });
  runs.push(run.id);
  devices.push(await Device.enrol(p, 'clown', 'circus', 'L'.repeat(64)));
  const door = await Wire.at(p);
  const knock = { serial: unbroken.slice(0, 64), model: `${script}${'M'.repeat(150)}`, maker: 'שלום'.repeat(20), capabilities: ['c'.repeat(64)], publicKey: publicKey() };
  expect(await door.post('/v1/knock', knock)).toMatchObject({ status: 200 });
}, 120_000);
afterAll(async () => {
  for (const d of devices) await d.end();
  await p?.end();
});

const views = () => [
  ...['/', '/?kind=types', '/?kind=groups', '/alarms', '/rules', '/enrol', '/enrol?type=clown', '/twins/clown', '/twins/clown?tab=raw'],
  ...[0, 1, 3].flatMap((i) => ['', '?tab=log', '?tab=raw', '?tab=alarms', '?tab=provisioning'].map((t) => `/twins/${devices[i]!.twin}${t}`)),
  `/rules/new?twin=${devices[0]!.twin}&property=level`,
  ...['board', 'approvals', 'manual', 'waiting'].map((tab) => `/provisioning?tab=${tab}`),
  ...['/provisioning?show=ended', '/claims', `/claims?q=${encodeURIComponent('WWW')}`, '/claims/new', '/gateways', '/gateways/operational-1', '/models'],
  ...runs.flatMap((id) => [`/runs/${id}`, `/runs/${id}/install`]),
  `/twins/${devices.at(-1)!.twin}?tab=access`,
  // Addresses are from outside, too.
  `/?q=${encodeURIComponent(script)}&tag=${encodeURIComponent(script)}&sort=%00`,
  `/alarms?twin=${encodeURIComponent(script)}&severity=${encodeURIComponent(script)}`,
  `/twins/${encodeURIComponent(script)}?tab=${encodeURIComponent(script)}`,
  `/rules/new?twin=${encodeURIComponent('../../x')}&property=${encodeURIComponent(script)}`,
  `/no/such/${encodeURIComponent(script)}`,
  `/enrol?claim=${encodeURIComponent(script)}`,
  `/claims?q=${encodeURIComponent(script)}&batch=${encodeURIComponent(script)}&state=${encodeURIComponent(script)}`,
  `/provisioning?tab=waiting&q=${encodeURIComponent(script)}&guess=${encodeURIComponent(script)}&state=${encodeURIComponent(script)}`,
];

for (const phone of [false, true])
  test(`names that would do harm are shown as they are${phone ? ', on a phone too' : ''}`, { timeout: 180_000 }, async ({ visit }) => {
    const { page, guard } = await visit(p, { as: p.admin, phone });
    for (const status of [400, 404]) guard.allow(status, /./);
    await page.getByText(script).first().waitFor();
    for (const view of views()) {
      await page.goto(p.at(view));
      await page.getByRole('heading', { level: 1 }).first().waitFor();
      await guard.quiet();
      expect(await page.evaluate(() => (window as { ran?: number }).ran), view).toBeUndefined();
      expect(await page.locator('main script, main img[src=x], main svg[onload], main u, main i, main b[onmouseover]').count(), view).toBe(0);
      expect(await overflow(page), view).toBe('');
      expect(await clipped(page), view).toEqual([]);
    }
    await page.goto(p.at(`/twins/${devices[0]!.twin}?tab=log`));
    await page.getByText(long.slice(0, 60)).first().waitFor();
    await page.goto(p.at('/'));
    await page.getByRole('button', { name: /Search twins/ }).click();
    await page.getByRole('combobox').fill('script');
    await guard.quiet();
    expect(await page.evaluate(() => (window as { ran?: number }).ran)).toBeUndefined();
  });

test('what is too long for a name is refused with the bound', async () => {
  await expect(change(p, devices[0]!.twin, { name: long })).rejects.toThrow(/at most 128/);
  await expect(change(p, devices[0]!.twin, { tags: [script] })).rejects.toThrow(/tags/);
});

test('text that runs backwards stays in its place', async ({ visit }) => {
  const { page } = await visit(p, { as: p.admin });
  // A right-to-left override in a name must not turn around what stands beside it.
  const row = page.getByRole('row').filter({ hasText: 'gnp.exe' });
  const isolated = await row.evaluate((r) => [...r.querySelectorAll('*')].filter((e) => e.children.length === 0 && e.textContent?.includes('gnp')).map((e) => e.tagName));
  expect(isolated.every((t) => t === 'BDI')).toBe(true);
});
