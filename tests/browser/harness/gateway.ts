import { execFile } from 'node:child_process';
import { copyFile, cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inject } from 'vitest';
import { eventually } from './api';
import { bin } from './paths';
import type { Platform } from './platform';
import { freePort, Program } from './process';

/** One more gateway for MQTT beside a platform, as a process of its own (`castor-connector mqtt`). The platform's NATS must listen. */
export class Gateway {
  private constructor(
    readonly id: string,
    private readonly program: Program,
  ) {}

  /** Starts it, and waits until the platform knows it. */
  static async start(p: Platform, id: string, region = ''): Promise<Gateway> {
    const secrets = join(p.dir, `secrets-${id}`);
    const dir = join(p.dir, `gateway-${id}`);
    await mkdir(dir);
    await cp(join(p.dir, 'data', 'keys'), secrets, { recursive: true });
    await promisify(execFile)(join(bin, 'castor'), ['init', secrets, '--host', '127.0.0.1', '--gateway', id]);
    await copyFile(join(p.dir, 'data', 'nats', 'token'), join(secrets, 'castor-nats-token'));
    const port = await freePort();
    const program = new Program(inject('connector'), ['mqtt'], {
      CASTOR_NATS_URL: p.nats,
      CASTOR_GATEWAY_URL: p.url,
      CASTOR_SECRETS: secrets,
      CASTOR_METRICS: 'off',
      CASTOR_GATEWAY_ID: id,
      CASTOR_GATEWAY_PHASE: 'operational',
      CASTOR_PUBLIC_URL: `tls://127.0.0.1:${port}`,
      CASTOR_LISTEN: `127.0.0.1:${port}`,
      CASTOR_DIR: dir,
      CASTOR_REGION: region,
    });
    await eventually(`gateway ${id} is known`, async () => !!(await p.api.get(`gateways/gateways/${id}`)).seen, 40_000);
    return new Gateway(id, program);
  }

  end(): Promise<void> {
    return this.program.end();
  }
}
