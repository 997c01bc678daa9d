import { afterAll, beforeAll, expect } from 'vitest';
import { makeType } from '../harness/device';
import { Platform } from '../harness/platform';
import { test } from '../harness/story';

let p: Platform;
beforeAll(async () => {
  p = await Platform.start();
  await makeType(p, 'pump', 'Pump', []);
});
afterAll(() => p?.end());

const conditionally = 'has(facts.firmware)';

test('every example is a good model', async ({ visit }) => {
  const { page } = await visit(p, { as: p.admin, view: '/new-model' });
  const titles = await page.getByRole('main').getByRole('button', { name: /by itself|People decide|A service does/ }).allInnerTexts();
  expect(titles).toHaveLength(3);
  for (const [title] of titles.map((t) => t.split('\n'))) {
    await page.getByRole('button', { name: title }).click();
    await page.getByText('No fault', { exact: true }).waitFor();
    await page.goto(p.at('/new-model'));
  }
});

test('a model is written, its fault is shown at its line, it is tried, saved and used by a type', async ({ visit }) => {
  const { page, guard } = await visit(p, { as: p.admin, view: '/models' });
  await page.getByRole('link', { name: 'New model' }).click();
  await page.getByRole('button', { name: /People decide about some/ }).click();
  const text = page.getByLabel('The model as YAML');
  const good = await text.inputValue();

  // A fault stands at its line, and a click leads there.
  await text.fill(good.replace('do: ask', 'do: asks'));
  const line = good.slice(0, good.indexOf('do: ask')).split('\n').length;
  const fault = page.getByRole('status', { name: 'Faults' }).getByRole('button', { name: new RegExp(`^Line ${line}\\b`) });
  await fault.first().waitFor();
  expect(await fault.first().innerText()).toContain('asks');
  expect(await page.getByRole('button', { name: 'Save the model' }).isDisabled()).toBe(true);
  await fault.first().click();
  const caret = await text.evaluate((e: HTMLTextAreaElement) => e.value.slice(0, e.selectionStart).split('\n').length);
  expect(caret).toBe(line);
  await text.fill(good);
  await page.getByText('No fault', { exact: true }).waitFor();

  // A state of the drawing is chosen in the text, and the other way round.
  const approval = page.getByRole('button', { name: /^approval/ });
  await approval.click();
  expect(await text.evaluate((e: HTMLTextAreaElement) => e.value.slice(e.selectionStart, e.selectionEnd))).toMatch(/^ {2}- name: approval/);
  await text.evaluate((e: HTMLTextAreaElement) => e.setSelectionRange(e.value.indexOf('name: twin'), e.value.indexOf('name: twin')));
  await text.press('ArrowRight');
  await page.getByRole('button', { name: /^twin/, pressed: true }).waitFor();

  // Tried: the way lights up, and each step has its time.
  const result = page.getByRole('region', { name: 'What becomes of it' });
  await result.getByText(/stands at Old firmware/).waitFor();
  // As long as no type takes it, devices come in by another one.
  await result.getByText('A pump like this comes in by automatic: the type names none.').waitFor();
  await result.getByText('P-7 has old firmware. Let it in?').waitFor();
  await result.getByRole('button', { name: 'approved' }).click();
  await page.getByLabel('Event 1 after').fill('2h');
  for (const what of ['gateway-ready', 'device-confirm']) await result.getByRole('button', { name: what }).click();
  await result.getByText('completed').first().waitFor();
  await result.getByText('+2 h').first().waitFor();
  await page.getByRole('group', { name: /State machine firmware-first: .*approval done.*operational done/ }).waitFor();

  // Other facts, another way: nobody is asked.
  await page.getByLabel('Facts', { exact: true }).fill('firmware = 2');
  await page.getByRole('group', { name: /State machine firmware-first: .*approval not reached/ }).waitFor();

  await page.getByRole('button', { name: 'Save the model' }).click();
  await page.getByText('version 1', { exact: true }).waitFor();
  expect(page.url()).toContain('/models/firmware-first');

  // Somebody else was faster: both versions are shown, and the person decides.
  const model = await p.api.get('twin-provision/models/firmware-first');
  await p.api.put('twin-provision/models/firmware-first', { ...model, note: 'Theirs.' });
  const mine = await text.inputValue();
  await text.fill(mine.replace(/^note: .*$/m, 'note: Mine.'));
  await page.getByText('No fault', { exact: true }).waitFor();
  guard.allow(412, /\/models\/firmware-first$/);
  await page.getByRole('button', { name: 'Save as new version' }).click();
  const conflict = page.getByRole('dialog', { name: 'Saved by somebody else meanwhile' });
  await conflict.getByText('note: Theirs.').waitFor();
  await conflict.getByText('note: Mine.').waitFor();
  await conflict.getByRole('button', { name: 'Save mine after it' }).click();
  await page.getByText('version 3', { exact: true }).waitFor();

  // An old version comes back into the editor.
  await page.getByRole('tab', { name: 'Versions' }).click();
  await page.getByRole('button', { name: 'Compare version 1' }).click();
  await page.getByRole('button', { name: 'Put version 1 into the editor' }).click();
  await page.getByText('not saved').waitFor();
  await page.getByRole('button', { name: 'Give up changes' }).click();

  // A type uses it, by a condition.
  await page.goto(p.at('/twins/pump?tab=provisioning'));
  await page.getByRole('button', { name: 'Choose…' }).click();
  await page.getByRole('button', { name: 'Add a condition' }).click();
  await page.getByLabel('Condition 1', { exact: true }).fill(conditionally);
  await page.getByLabel('Model 1').selectOption('firmware-first');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('button', { name: /if has\(facts.firmware\).*firmware-first/ }).click();
  await page.getByRole('img', { name: /State machine firmware-first/ }).waitFor();
  const type = await p.api.get('twins/twins/pump');
  expect(type.definition.model.choices).toEqual([{ if: conditionally, model: 'firmware-first' }]);

  // The list says so, and the model cannot be deleted while it is so.
  await page.getByRole('link', { name: 'Models', exact: true }).click();
  const row = page.getByRole('row').filter({ hasText: 'firmware-first' });
  await row.getByRole('link', { name: 'Pump' }).waitFor();
  await row.getByRole('link', { name: 'firmware-first' }).click();
  await page.getByRole('button', { name: 'More' }).click();
  await page.getByRole('menuitem', { name: 'Delete…' }).click();
  guard.allow(409, /\/models\/firmware-first$/);
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('dialog').getByRole('alert').getByText(/pump/i).waitFor();
});
