import type { Browser, Page } from 'playwright-core';
import type { Order } from './main';
import { type Tasks, tasksOf } from './tasks';
import { address, person, rowLink } from './visit';

const seconds = 10;
const notch = 480; // pixels of a turn of the wheel; some 30 of them a second are a fast hand

/** Scrolls the table for some time, then goes to its last row; what the page's main thread did meanwhile. */
export async function scroll(browser: Browser, o: Order) {
  const { context, page } = await person(browser, o);
  await page.addInitScript(() => {
    const w = window as unknown as { long: number[] };
    w.long = [];
    new PerformanceObserver((l) => w.long.push(...l.getEntries().map((e) => e.duration))).observe({ type: 'longtask' });
  });
  const pages: number[] = [];
  page.on('requestfinished', (r) => {
    if (r.url().includes('/twins/twins?') && r.url().includes('view=row')) pages.push(r.timing().responseEnd);
  });
  await page.goto(address(o));
  await page.locator(rowLink).first().waitFor();
  await page.waitForTimeout(3000); // what loading started is over

  const began = Date.now();
  const wheel = await during(browser, page, async () => {
    await page.mouse.move(700, 600);
    while (Date.now() - began < seconds * 1000) {
      await page.mouse.wheel(0, notch);
      await page.waitForTimeout(16);
    }
  });
  const took = (Date.now() - began) / 1000;
  const rows = await page.evaluate((s) => Math.max(...[...document.querySelectorAll(s)].map((e) => Number(e.closest('[role=row]')!.getAttribute('aria-rowindex')))), rowLink);

  const total = Number(await page.getByRole('table').getAttribute('aria-rowcount'));
  const pressed = Date.now();
  await page.locator(rowLink).last().focus();
  const end = await during(browser, page, async () => {
    await page.keyboard.press('End');
    await page.locator(`[aria-rowindex="${total}"] [data-row-link]`).waitFor({ timeout: 120_000 });
  });
  const ended = Date.now() - pressed;
  await context.close();
  return { rows, seconds: took, pages, wheel, end, ended };
}

/** What the main thread does while something is done. */
async function during(browser: Browser, page: Page, act: () => Promise<void>): Promise<Tasks & { long: number }> {
  await page.evaluate(() => void ((window as unknown as { long: number[] }).long = []));
  await browser.startTracing(page, { categories: ['toplevel', '__metadata'] });
  await act();
  const trace = await browser.stopTracing();
  const long = await page.evaluate(() => (window as unknown as { long: number[] }).long.length);
  return { ...tasksOf(trace), long };
}
