import { execFile } from 'node:child_process';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { bin, chromiumPath, left, root } from './paths';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The program that plays a device: see ../device. */
    device: string;
    /** castor-connector, for gateways beside the platform's own. */
    connector: string;
  }
}

/** What all stories need, once: the programs are there, the device player is built, old pictures are gone. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await there(join(bin, 'castor'), 'run `make build`');
  await there(join(bin, 'castor-agent'), 'run `make build`');
  await there(chromiumPath, 'install it (Debian: apt-get install chromium) or name another one in CHROMIUM');
  await rm(left, { recursive: true, force: true });
  const dir = await mkdtemp(join(tmpdir(), 'castor-browser-'));
  const device = join(dir, 'device');
  await promisify(execFile)('go', ['build', '-o', device, './tests/browser/device'], { cwd: root });
  project.provide('device', device);
  const connector = join(dir, 'castor-connector');
  await promisify(execFile)('go', ['build', '-o', connector, './connectors/castor-connector'], { cwd: root });
  project.provide('connector', connector);
  return () => rm(dir, { recursive: true, force: true });
}

async function there(file: string, remedy: string): Promise<void> {
  await access(file).catch(() => {
    throw new Error(`${file} is not there: ${remedy}`);
  });
}
