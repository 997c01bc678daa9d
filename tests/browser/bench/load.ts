import type { Browser, Page } from 'playwright-core';
import type { Order } from './main';
import { address, person, rowLink } from './visit';

const visits = 5;

/** What a first visit loads, and when the first view can be used. */
export async function load(browser: Browser, o: Order) {
  const interactive: number[] = [];
  let wire: Wire = { script: 0, all: 0, files: 0, requests: 0 };
  for (let i = 0; i < visits; i++) {
    const { context, page } = await person(browser, o);
    const weighed = await weigh(page);
    await page.addInitScript(noteUsable, rowLink);
    await page.goto(address(o));
    interactive.push(await page.evaluate(() => (window as unknown as { usable: Promise<number> }).usable));
    wire = weighed();
    await context.close();
  }
  return { interactive, ...wire };
}

interface Wire {
  script: number;
  all: number;
  files: number;
  requests: number;
}

/** Counts the bytes that come over the wire, headers too, as the browser counts them. */
async function weigh(page: Page): Promise<() => Wire> {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Network.enable');
  const type = new Map<string, string>();
  const w: Wire = { script: 0, all: 0, files: 0, requests: 0 };
  cdp.on('Network.responseReceived', (e) => void type.set(e.requestId, e.type));
  cdp.on('Network.loadingFinished', (e) => {
    w.requests++;
    w.all += e.encodedDataLength;
    if (type.get(e.requestId) !== 'Script') return;
    w.files++;
    w.script += e.encodedDataLength;
  });
  return () => w;
}

/** In the page: `usable` becomes the time at which the first row was painted, in milliseconds since the navigation began. */
function noteUsable(selector: string): void {
  (window as unknown as { usable: Promise<number> }).usable = new Promise((done) => {
    const look = new MutationObserver(() => {
      const row = document.querySelector(selector);
      if (!row) return;
      look.disconnect();
      // A new observer is called in the frame that shows the row, after its layout; the message comes after its painting.
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => done(performance.now());
      const laidOut = new ResizeObserver(() => {
        laidOut.disconnect();
        port2.postMessage(null);
      });
      laidOut.observe(row);
    });
    look.observe(document, { childList: true, subtree: true });
  });
}
