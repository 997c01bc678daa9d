import { afterAll, beforeAll, expect } from 'vitest';
import { findings, inBothThemes, overflow } from '../harness/look';
import { Platform } from '../harness/platform';
import { makeScene, type Scene } from '../harness/scene';
import { liveMark, test } from '../harness/story';
import { shown } from '../harness/views';

let p: Platform;
let scene: Scene;
beforeAll(async () => {
  p = await Platform.start();
  scene = await makeScene(p);
});
afterAll(async () => {
  await scene?.end();
  await p?.end();
});

test('the main ways by touch, on a phone', async ({ visit }) => {
  const { page, guard } = await visit(p, { as: p.admin, phone: true });
  await page.getByRole('link', { name: /Cooling pump 3/ }).first().tap();
  await page.getByRole('heading', { name: 'Cooling pump 3', level: 1 }).waitFor();
  for (const tab of ['Provisioning', 'Alarms & rules', 'Configuration', 'Log', 'Commands', 'Raw', 'Overview']) {
    await page.getByRole('tab', { name: tab }).tap();
    await guard.quiet();
    expect(await overflow(page), tab).toBe('');
  }
  const nav = page.getByRole('navigation', { name: 'Main' });
  for (const [link, heading] of [[/Alarms/, 'Alarms'], [/Rules/, 'Rules'], [/Enrol/, 'Enrol a device'], [/Fleet/, 'Fleet']] as const) {
    await nav.getByRole('link', { name: link }).tap();
    await page.getByRole('heading', { name: heading, level: 1 }).waitFor();
    expect(await overflow(page), heading).toBe('');
  }
  for (const place of ['Types', 'Drivers']) {
    await nav.getByRole('button', { name: 'More' }).tap();
    await page.getByRole('menuitem', { name: place }).tap();
    await page.getByRole('heading', { name: place, level: 1 }).waitFor();
    expect(await overflow(page), place).toBe('');
  }
  // What is touched is large enough for a finger (WCAG 2.2: 24 px).
  const small = await page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('nav a, header button, main button')].filter((e) => e.offsetParent && (e.offsetHeight < 24 || e.offsetWidth < 24)).map((e) => e.outerHTML.slice(0, 100)),
  );
  expect(small).toEqual([]);
  await page.getByRole('button', { name: /Search/ }).first().tap();
  await page.getByRole('combobox').fill('chiller');
  await page.getByRole('option', { name: /Chiller A/ }).tap();
  await page.getByRole('heading', { name: 'Chiller A', level: 1 }).waitFor();
});

for (const phone of [false, true])
  test(`axe finds nothing serious in any view ${phone ? 'on a phone' : 'on a desk, in either theme'}`, { timeout: 300_000 }, async ({ visit }) => {
    const { page, guard } = await visit(p, { phone });
    guard.allow(401, /\/session/);
    const admin = await visit(p, { as: p.admin, phone });
    const found: string[] = [];
    for (const v of shown) {
      const on = v.anonymous ? page : admin.page;
      await on.goto(p.at(v.path(scene)));
      await on.getByRole('heading', { level: 1 }).first().waitFor();
      if (!v.anonymous) await expect.poll(() => liveMark(on).textContent()).toBe('Live');
      await v.then?.(on);
      await (v.anonymous ? guard : admin.guard).quiet();
      // Colours are the same on a phone: once is enough.
      const said = phone ? await findings(on) : await inBothThemes(on);
      found.push(...said.map((f) => `${v.name}: ${f}`));
      expect(await overflow(on), v.name).toBe('');
    }
    expect(found).toEqual([]);
  });
