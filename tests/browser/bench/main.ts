// The browser's part of `make bench` (tests/load): takes an order per line, answers each with a line, and ends with its input.
import { createInterface } from 'node:readline';
import type { Browser } from 'playwright-core';
import { openBrowser } from '../harness/browser';
import { load } from './load';
import { seen, watch } from './sight';
import { scroll } from './scroll';

/** What shall be done, as tests/load tells it. */
export interface Order {
  do: 'open' | 'load' | 'scroll' | 'watch' | 'seen';
  url: string;
  name: string;
  password: string;
  view: string;
  twin: string;
  value: number;
}

let browser: Browser | undefined;

async function take(o: Order): Promise<unknown> {
  browser ??= await openBrowser();
  switch (o.do) {
    case 'open':
      return browser.version();
    case 'load':
      return load(browser, o);
    case 'scroll':
      return scroll(browser, o);
    case 'watch':
      return watch(browser, o);
    case 'seen':
      return seen(o.value);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    console.log(JSON.stringify({ answer: (await take(JSON.parse(line))) ?? null }));
  } catch (e) {
    console.log(JSON.stringify({ error: e instanceof Error ? e.message : String(e) }));
  }
}
await browser?.close();
