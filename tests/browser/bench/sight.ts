import type { Browser, Page } from 'playwright-core';
import type { Order } from './main';
import { address, person } from './visit';

export interface Sighting {
  value: number;
  /** Microseconds since 1970. */
  at: number;
}

let page: Page | undefined;

/** Opens a view and notes from now on when which value of a twin's rpm was painted. */
export async function watch(browser: Browser, o: Order): Promise<void> {
  await page?.context().close();
  ({ page } = await person(browser, o));
  await page.goto(address(o));
  await page.locator('[role=row] bdi', { hasText: /^rpm$/ }).first().waitFor();
  await page.evaluate(note, o.twin);
  await page.waitForFunction(() => (window as unknown as Noted).live(), null, { timeout: 20_000 });
}

/** What was noted, once a value was painted; the page is closed. */
export async function seen(value: number): Promise<Sighting[]> {
  await page!.waitForFunction((v) => (window as unknown as Noted).sightings.some((s) => s.value >= v), value, { timeout: 20_000 });
  const all = await page!.evaluate(() => (window as unknown as Noted).sightings);
  await page!.context().close();
  page = undefined;
  return all;
}

interface Noted {
  sightings: Sighting[];
  live(): boolean;
}

/** In the page. */
function note(twin: string): void {
  const w = window as unknown as Noted;
  w.sightings = [];
  w.live = () => [...document.querySelectorAll('[role=status]')].some((e) => e.textContent === 'Live');
  let last = '';
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = (e) => w.sightings.push({ value: e.data, at: Math.round((performance.timeOrigin + performance.now()) * 1000) });

  /** Where the value stands: in the twin's row of the table, or in the row of the property on the twin's own page. */
  const cell = (): Element | undefined => {
    const link = document.querySelector(`[role=row] a[href$="/twins/${twin}"]`);
    const rows = link ? [link.closest('[role=row]')!] : [...document.querySelectorAll('main [role=row]')];
    for (const row of rows) {
      const texts = [...row.querySelectorAll('bdi')];
      if (texts.some((e) => e.textContent === 'rpm')) return texts.find((e) => /^[\d,]+( \/min)?$/.test(e.textContent ?? ''));
    }
    return undefined;
  };
  new MutationObserver(() => {
    const at = cell();
    const text = at?.textContent ?? '';
    if (!at || text === last) return;
    last = text;
    const value = Number(text.replace(/[^\d]/g, ''));
    // A new observer is called in the frame that shows the value, after its layout; the message comes after its painting.
    const laidOut = new ResizeObserver(() => {
      laidOut.disconnect();
      port2.postMessage(value);
    });
    laidOut.observe(at);
  }).observe(document.body, { childList: true, subtree: true, characterData: true });
}
