import { mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { bin } from '../harness/paths';
import { Platform } from '../harness/platform';
import { Program } from '../harness/process';
import { test } from '../harness/story';

let p: Platform;
let agent: Program | undefined;
beforeAll(async () => {
  p = await Platform.start();
});
afterEach(async () => {
  await agent?.end();
  agent = undefined;
});
afterAll(() => p?.end());

/** Runs what a person would paste into the shell of the device, in a directory of its own. */
async function paste(command: string): Promise<{ run: Program; dir: string }> {
  const dir = await mkdtemp(join(p.dir, 'pasted-'));
  // exec: the shell becomes the agent, so that ending it ends the agent.
  const script = command.replace(/^castor-agent run/m, 'exec castor-agent run --interval 1s');
  return { run: new Program('/bin/sh', ['-c', script], { PATH: `${bin}:${process.env.PATH}` }, dir), dir };
}

const steps = ['Claim checked', 'Identity checked', 'Twin made', 'Credential issued', 'Let in at a gateway', 'Handed to the device', 'Operational'];

test('with no device yet, one click leads to the first one', async ({ visit }) => {
  const { page, guard } = await visit(p, { as: p.admin });
  await page.getByRole('heading', { name: 'Bring in your first device' }).waitFor();
  const opened = guard.navigations.filter((u) => u.startsWith(p.url)).length;
  await page.locator('section', { hasText: 'Bring in your first device' }).getByRole('button').first().click();
  await page.getByRole('heading', { name: 'Hand it over' }).waitFor();
  const command = await page.getByLabel('command with the claim file', { exact: true }).locator('pre').innerText();
  ({ run: agent } = await paste(command));
  await page.getByText(/is in$/).waitFor({ timeout: 30_000 });
  await page.getByRole('link', { name: 'To the twin' }).click();
  await page.getByRole('heading', { level: 1 }).waitFor();
  expect(page.url()).toContain('/twins/');
  await page.getByRole('link', { name: 'Fleet' }).first().click();
  await page.getByText('1 device', { exact: true }).waitFor();
  expect(guard.navigations.filter((u) => u.startsWith(p.url) && !/console\/(twins|enrol|$)/.test(u))).toEqual([]);
  expect(opened).toBeGreaterThan(0);
});

test('a device of a new type is enrolled, and every step is seen as it happens', async ({ visit }) => {
  const { page } = await visit(p, { as: p.admin, view: '/enrol' });
  // Whatever loads the page anew would lose this.
  await page.evaluate(() => Object.assign(window, { stillTheSamePage: true }));

  await page.getByRole('link', { name: 'New type' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Small computer');
  await page.getByLabel('Property 1', { exact: true }).fill('memory.percent');
  await page.getByLabel('Unit of property 1').fill('%');
  await page.getByRole('button', { name: 'Make the type' }).click();

  await page.getByLabel('Serial', { exact: true }).fill('SC-1');
  await page.getByLabel('Owner').selectOption({ label: 'New group…' });
  await page.getByLabel('New group', { exact: true }).fill('laboratory');
  await page.getByRole('button', { name: 'Make the claim' }).click();

  await page.getByRole('heading', { name: 'Hand it over' }).waitFor();
  await page.getByText('Waiting for it…').waitFor();
  expect(await page.getByRole('img', { name: /QR/ }).isVisible()).toBe(true);
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download the claim file' }).click()]);
  const file = await readFile(await download.path(), 'utf8');
  expect(JSON.parse(file)).toMatchObject({ claim: { type: 'small-computer', owner: 'laboratory' }, gateway: expect.stringMatching(/^tls:/) });

  const command = await page.getByLabel('command', { exact: true }).locator('pre').innerText();
  const line = `cat > '${download.suggestedFilename()}' <<'CASTOR'\n${file}\nCASTOR\n${command}`;
  ({ run: agent } = await paste(line));
  for (const s of steps) await page.getByRole('listitem').filter({ hasText: s }).filter({ hasText: 'done' }).waitFor({ timeout: 30_000 });
  await page.getByRole('heading', { name: 'SC-1 is in' }).waitFor();
  await page.getByText('memory.percent').waitFor();

  await page.getByRole('link', { name: 'To the twin' }).click();
  await page.getByRole('heading', { name: 'SC-1', level: 1 }).waitFor();
  expect(await page.evaluate(() => 'stillTheSamePage' in window)).toBe(true);

  // Among the runs it stands as ended, with its model, its log and the time in each state.
  await page.getByRole('link', { name: 'Provisioning' }).click();
  await page.getByRole('radio', { name: 'Ended' }).click();
  const ended = page.getByRole('link', { name: 'SC-1', exact: true });
  await ended.waitFor();
  for (const outcome of ['Rejected', 'Completed']) {
    await page.getByRole('button', { name: /^Outcome/ }).click();
    await page.getByRole('menuitemradio', { name: outcome }).click();
    await ended.waitFor({ state: outcome === 'Rejected' ? 'detached' : 'visible' });
  }
  await ended.click();
  await page.getByRole('heading', { name: 'SC-1', level: 1 }).waitFor();
  await page.getByText('It has come through.').waitFor();
  await page.getByRole('img', { name: /State machine automatic: claim done/ }).waitFor();
  await page.getByText('Time in each state').waitFor();
  await page.goBack();
  await page.goBack();
  await page.getByRole('tab', { name: 'Overview' }).waitFor();

  // Back to the waiting step: the secret is gone, what came in is told.
  await page.goBack();
  await page.getByRole('heading', { name: 'SC-1 is in' }).waitFor();
});

test('a device that nobody knows is turned away, and the page says why', async ({ visit }) => {
  const { page } = await visit(p, { as: p.admin, view: '/enrol' });
  await page.getByRole('link', { name: /Small computer/ }).click();
  await page.getByLabel('Serial', { exact: true }).fill('SC-2');
  await page.getByRole('button', { name: 'Make the claim' }).click();
  await page.getByRole('heading', { name: 'Hand it over' }).waitFor();
  const command = await page.getByLabel('command with the claim file', { exact: true }).locator('pre').innerText();
  ({ run: agent } = await paste(command.replace(/--serial \S+/, '--serial SC-666')));
  await page.getByText('SC-666 was turned away').first().waitFor();
});
