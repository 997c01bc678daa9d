import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { expect, test as base } from 'vitest';
import { openBrowser, screen } from './browser';
import { Guard } from './guard';
import { overflow } from './look';
import { left } from './paths';
import type { Person, Platform } from './platform';

export interface Visitor {
  page: Page;
  guard: Guard;
  context: BrowserContext;
}

export interface VisitOptions {
  /** Signed in as this person; nobody if left out. */
  as?: Person;
  /** The view that is opened: "/" if left out. */
  view?: string;
  phone?: boolean;
  dark?: boolean;
}

export type Visit = (p: Platform, options?: VisitOptions) => Promise<Visitor>;

/** A test that may visit the console. After it, no page may have said or asked for what it should not, nor stick out sideways. */
export const test = base.extend<{ browser: Browser; visit: Visit }>({
  browser: [
    // biome-ignore lint/correctness/noEmptyPattern: vitest reads the fixtures from it
    async ({}, use) => {
      const b = await openBrowser();
      await use(b);
      await b.close();
    },
    { scope: 'file' },
  ],
  visit: async ({ browser, task, onTestFinished }, use) => {
    const visitors: Visitor[] = [];
    onTestFinished(async () => {
      if (task.result?.state === 'fail') await leave(task.name, visitors);
      for (const v of visitors) await v.context.close();
    });
    await use(async (p, o = {}) => {
      const context = await browser.newContext({ ...screen(o), acceptDownloads: true });
      context.setDefaultTimeout(15_000);
      const page = await context.newPage();
      const guard = await Guard.on(page, p.url);
      visitors.push({ page, guard, context });
      await page.goto(p.at(o.view));
      if (o.as) await signIn(page, o.as, guard);
      return { page, guard, context };
    });
    for (const { page, guard } of visitors) {
      if (!page.isClosed() && page.url().startsWith('http')) expect(await overflow(page), 'sticks out of the page').toBe('');
      expect(guard.found, 'what the page should not have said or asked for').toEqual([]);
    }
  },
});

/** Signs in by the form. What was asked for is shown afterwards. */
export async function signIn(page: Page, who: Person, guard: Guard): Promise<void> {
  guard.allow(401, /\/session(\/refresh)?$/); // how the page finds out that nobody is signed in
  await page.getByLabel('Name').fill(who.name);
  await page.getByLabel('Password', { exact: true }).fill(who.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation', { name: 'Main' }).waitFor();
}

/** The word of the mark that tells whether the page is up to date. */
export const liveMark = (page: Page) => page.getByRole('status').filter({ hasText: /^(Live|Reconnecting|Polling|No connection|Connecting|Off)$/ });

/** Leaves a picture of each page of a failed test, and what it said. */
async function leave(name: string, visitors: Visitor[]): Promise<void> {
  await mkdir(left, { recursive: true });
  for (const [i, v] of visitors.entries()) {
    const file = join(left, `${name.replace(/[^a-z0-9]+/gi, '-').slice(0, 80)}-${i + 1}`);
    await v.page.screenshot({ path: `${file}.png` }).catch(() => {});
    await writeFile(`${file}.txt`, [v.page.url(), ...v.guard.found, await v.page.locator('body').ariaSnapshot({ timeout: 2000 }).catch(String)].join('\n'));
  }
}
