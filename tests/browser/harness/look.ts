import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import type { AxeResults } from 'axe-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What sticks out of the page sideways; "" = nothing. Tables may scroll in a frame of their own, the page may not. */
export function overflow(page: Page): Promise<string> {
  return page.evaluate(() => {
    const wide = [document.documentElement, document.body, document.querySelector('main')].filter((e) => e && e.scrollWidth > e.clientWidth);
    if (!wide.length) return '';
    const limit = document.documentElement.clientWidth;
    const out = [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > limit + 1);
    return `${wide.map((e) => `${e!.tagName} ${e!.scrollWidth} > ${e!.clientWidth}`)}: ${out.slice(0, 3).map((e) => e.outerHTML.slice(0, 120))}`;
  });
}

/** The cells of tables whose text lies over their neighbours, however long it is: they must wrap it or cut it off. */
export function clipped(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('main td, main th, main [role=cell], main dd')]
      .filter((c) => c.offsetParent && c.clientWidth > 0 && c.textContent?.trim() && getComputedStyle(c).overflowX === 'visible' && c.scrollWidth > c.clientWidth + 1)
      .map((c) => `${c.className} ${c.scrollWidth} > ${c.clientWidth}: ${c.textContent?.slice(0, 60)}`),
  );
}

/** axe's serious and critical findings, one line each. */
export async function findings(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const r = await page.evaluate(() => (window as unknown as { axe: { run(o: object): Promise<AxeResults> } }).axe.run({ resultTypes: ['violations'] }));
  return r.violations
    .filter((v) => v.impact === 'serious' || v.impact === 'critical')
    .flatMap((v) => v.nodes.map((n) => `${v.id} (${v.impact}): ${n.html.slice(0, 160)} ${n.any.map((c) => c.message).join('; ')}`));
}

/** Waits until what moves or fades has come to its end; what goes on for ever does not count. */
const still = (page: Page) =>
  page.evaluate(async () => {
    await new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)));
    await Promise.allSettled(document.getAnimations().map((a) => a.effect?.getComputedTiming().iterations !== Number.POSITIVE_INFINITY && a.finished));
  });

/** The findings of a view in both themes, each with the theme's name; and what overflows. */
export async function inBothThemes(page: Page): Promise<string[]> {
  const all: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await still(page);
    all.push(...(await findings(page)).map((f) => `${colorScheme}: ${f}`));
  }
  await page.emulateMedia({ colorScheme: 'light' });
  const wide = await overflow(page);
  return wide ? [...all, `overflow: ${wide}`] : all;
}
