import { afterAll, beforeAll, expect } from 'vitest';
import { eventually } from '../harness/api';
import { Device, makeType } from '../harness/device';
import { change, makePerson, setRule } from '../harness/people';
import { type Person, Platform } from '../harness/platform';
import { liveMark, test } from '../harness/story';

let p: Platform;
let ada: Person;
let ben: Person;
let hers: Device;
let his: Device;

// Whatever of Ada's could be seen has "lagoon" in it.
beforeAll(async () => {
  p = await Platform.start();
  ada = await makePerson(p, 'ada', ['owner'], 'lagoon-works', 'Lagoon works');
  ben = await makePerson(p, 'ben', ['owner'], 'quarry', 'Quarry');
  await makeType(p, 'sluice', 'Sluice', [{ name: 'level', unit: 'm' }]);
  [hers, his] = await Promise.all([Device.enrol(p, 'sluice', 'lagoon-works', 'LAGOON-1'), Device.enrol(p, 'sluice', 'quarry', 'QUARRY-1')]);
  await change(p, hers.twin, { name: 'Lagoon sluice', tags: ['lagoon-east'] });
  await change(p, his.twin, { name: 'Quarry sluice' });
  await setRule(p, hers.twin, 'level > 7', 'critical', 'Lagoon is too high');
  await hers.measure({ level: 8.125 });
  await his.measure({ level: 2 });
  await eventually('the alarm', async () => (await p.api.all('alerts/alarms')).length === 1);
});
afterAll(async () => {
  await hers?.end();
  await his?.end();
  await p?.end();
});

const views = (twin: string) => ['/', '/?kind=types', '/?kind=groups', '/alarms', '/alarms?show=all', '/rules', '/rules/new', '/enrol', `/twins/${twin}`, '/twins/sluice'];

test('an owner sees nothing of another: no view, count, name or address', async ({ visit }) => {
  const { page, guard } = await visit(p, { as: ben });
  guard.allow(404, new RegExp(hers.twin));
  guard.allow(403, /./); // what an owner may not ask for at all is no secret
  await page.getByText('Quarry sluice').first().waitFor();
  for (const view of views(his.twin)) {
    await page.goto(p.at(view));
    await page.getByRole('heading', { level: 1 }).first().waitFor();
    await expect.poll(() => liveMark(page).textContent()).toBe('Live');
    await guard.quiet();
    expect(await page.locator('body').ariaSnapshot(), view).not.toMatch(/lagoon|8\.125/i);
  }

  // The address of her twin says what the address of no twin says.
  const words: string[] = [];
  for (const id of [hers.twin, 'LAGOON-2']) {
    guard.allow(404, new RegExp(id));
    await page.goto(p.at(`/twins/${id}`));
    await page.getByText(/no such twin/i).first().waitFor();
    words.push((await page.locator('main').innerText()).replaceAll(id, 'ID'));
  }
  expect(words[0]).toBe(words[1]);

  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').fill('sluice');
  await page.getByRole('option', { name: /Quarry sluice/ }).waitFor();
  expect(await page.getByRole('option', { name: /lagoon/i }).count()).toBe(0);
});

test("an owner's own page cannot get it either", async ({ visit }) => {
  const { page, guard } = await visit(p, { as: ben });
  for (const status of [400, 403, 404]) guard.allow(status, /./);
  const rule = (await p.api.all('twin-monitor/rules'))[0].id;
  const answers = await page.evaluate(
    async ({ twin, rule }) => {
      const day = `from=${new Date(Date.now() - 864e5).toISOString()}`;
      const paths = [
        ...['twins/twins', 'twins/twins?q=lagoon', 'twins/twins?tag=lagoon-east', 'twins/twins?owner=lagoon-works', 'twins/twins?alarms=open'],
        ...[`twins/twins/${twin}`, 'twins/counts', 'twins/counts?owner=lagoon-works', 'twins/counts?tag=lagoon-east'],
        ...['alerts/alarms', `alerts/alarms?twin=${twin}`, `alerts/alarms/${twin}:${rule}:1`],
        ...['twin-monitor/rules', `twin-monitor/rules?target=${twin}`, `twin-monitor/rules/${rule}`],
        ...['twin-provision/runs', `twin-provision/runs?twin=${twin}`, 'twin-provision/rejections', 'credentials/claims'],
        ...[`twin-history/twins/${twin}?property=level&${day}`, `twin-command/commands?twin=${twin}`, 'users/groups', 'users/users'],
      ];
      return Promise.all(
        paths.map(async (path) => {
          const r = await fetch(`/function/${path}`, { headers: { 'X-Castor-Console': localStorage.getItem('castor.page')! } });
          return { path, status: r.status, body: await r.text() };
        }),
      );
    },
    { twin: hers.twin, rule },
  );
  for (const a of answers) {
    // What was asked for may be repeated to who asked for it.
    const said = a.body.replaceAll(hers.twin, '').replaceAll('lagoon-works', '').replaceAll('lagoon-east', '');
    expect(said, a.path).not.toMatch(/lagoon|8\.125/i);
  }
  const counts = answers.filter((a) => a.path.startsWith('twins/counts')).map((a) => (a.status === 200 ? JSON.parse(a.body).instances : 0));
  expect(counts).toEqual([1, 0, 0]);
  const lists = answers.filter((a) => a.status === 200 && !a.path.includes('counts') && /q=lagoon|tag=|alarms=|alerts\/alarms|runs\?twin|rules\?target/.test(a.path));
  for (const l of lists) expect(JSON.parse(l.body).items, l.path).toEqual([]);
});

test('the stream tells an owner of nothing of another', async ({ visit }) => {
  const { page } = await visit(p, { as: ben });
  const listening = page.evaluate(async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 6000);
    let heard = '';
    try {
      const r = await fetch('/stream', { headers: { 'X-Castor-Console': localStorage.getItem('castor.page')!, Accept: 'text/event-stream' }, signal: stop.signal });
      for (const reader = r.body!.pipeThrough(new TextDecoderStream()).getReader(); ; ) {
        const { done, value } = await reader.read();
        if (done) break;
        heard += value;
      }
    } catch {
      // the time is over
    }
    return heard;
  });
  for (let i = 0; i < 8; i++) {
    await hers.measure({ level: i % 2 ? 8.125 : 3.0625 }); // the alarm comes and goes
    await his.measure({ level: 4.5 + i });
    await change(p, hers.twin, { tags: ['lagoon-east', `lagoon-${i}`] });
    await new Promise((go) => setTimeout(go, 300));
  }
  const heard = await listening;
  expect(heard).toContain(his.twin);
  expect(heard).not.toMatch(/lagoon|8\.125|3\.0625/i);
});

test('she sees what is hers', async ({ visit }) => {
  const { page } = await visit(p, { as: ada, view: `/twins/${hers.twin}` });
  await page.getByRole('heading', { name: 'Lagoon sluice' }).waitFor();
  await page.goto(p.at('/'));
  await page.getByText('Lagoon sluice').first().waitFor();
  expect(await page.getByText('Quarry sluice').count()).toBe(0);
});
