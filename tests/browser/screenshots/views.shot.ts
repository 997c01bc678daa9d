import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { root } from '../harness/paths';
import { Platform } from '../harness/platform';
import { makeScene, type Scene } from '../harness/scene';
import { liveMark, test } from '../harness/story';
import { shown } from '../harness/views';

const folder = join(root, 'docs', 'screenshots');

let p: Platform;
let scene: Scene;
beforeAll(async () => {
  p = await Platform.start();
  scene = await makeScene(p);
  await mkdir(folder, { recursive: true });
  for (const f of await readdir(folder)) if (f.endsWith('.png')) await rm(join(folder, f));
});
afterAll(async () => {
  await scene?.end();
  await p?.end();
});

// Each on a desk and on a phone, and some in the dark, so that all of them stay small enough to be in the repository.
for (const phone of [false, true])
  for (const dark of phone ? [false] : [false, true])
    test(`every view, ${dark ? 'dark' : 'light'}, ${phone ? 'phone' : 'desktop'}`, async ({ visit }) => {
      const anyone = await visit(p, { phone, dark });
      anyone.guard.allow(401, /\/session/);
      const admin = await visit(p, { as: p.admin, phone, dark });
      for (const v of shown.filter((v) => v.dark || !dark)) {
        const { page } = v.anonymous ? anyone : admin;
        await scene.tick();
        await page.goto(p.at(v.path(scene)));
        await page.getByRole('heading', { level: 1 }).first().waitFor();
        if (!v.anonymous) await expect.poll(() => liveMark(page).textContent()).toBe('Live');
        await v.then?.(page);
        await page.waitForTimeout(900); // charts are drawn, texts have their fonts
        await page.screenshot({
          path: join(folder, `${v.name}-${dark ? 'dark' : 'light'}-${phone ? 'phone' : 'desktop'}.png`),
          animations: 'disabled',
          caret: 'hide',
          scale: 'css',
        });
      }
    });
