import type { Browser, BrowserContext, Page } from 'playwright-core';
import { screen } from '../harness/browser';
import type { Order } from './main';

/** The console's address of a view. */
export const address = (o: Order) => `${o.url}/function/console${o.view}`;

/** A person with an empty cache who is signed in. */
export async function person(browser: Browser, o: Order): Promise<{ context: BrowserContext; page: Page }> {
  const context = await browser.newContext(screen());
  const value = 'p'.repeat(42) + 'A'; // what binds the session to the page, which keeps it where init puts it
  await context.addInitScript((v) => localStorage.setItem('castor.page', v), value);
  const r = await context.request.post(`${o.url}/function/console/session`, {
    headers: { 'X-Castor-Console': value },
    data: { name: o.name, password: o.password },
  });
  if (!r.ok()) throw new Error(`sign in: ${r.status()} ${await r.text()}`);
  return { context, page: await context.newPage() };
}

/** A row of the table that has its twin. */
export const rowLink = '[role=row] [data-row-link]';
