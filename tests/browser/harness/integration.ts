import { execFile } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { bin } from './paths';
import type { Platform } from './platform';
import { Wire } from './wire';

/** The integration of a LoRaWAN network server, brought in by hand on the command line: it speaks for devices by webhooks over HTTPS. */
export class Integration {
  private constructor(
    readonly twin: string,
    private readonly castor: Castor,
    private readonly wire: Wire,
    private readonly token: string,
  ) {}

  /** Brings it in with a type of its own, `network-server`, for a group. */
  static async start(p: Platform, owner: string, serial: string): Promise<Integration> {
    const castor = await commands(p);
    await castor('type', 'create', 'network-server', '--name', 'Network servers', '--provisioning', 'manual', '--owner', owner);
    const begun = await castor('run', 'start', 'network-server', '--owner', owner, '--serial', serial, '--protocol', 'http', '--kind', 'token', '--key', 'its.key');
    const run = begun.match(/run-[0-9a-z]+/)![0];
    await castor('run', 'confirm', run);
    await castor('run', 'confirm', run, '--serial', serial);
    const bundle = JSON.parse(await castor('run', 'bundle', run, '--key', 'its.key'));
    return new Integration(serial, castor, await Wire.at(p, bundle.gateway), bundle.secret.secret);
  }

  /** Names a device that it speaks for. */
  add(type: string, owner: string, eui: string): Promise<string> {
    return this.castor('device', 'add', type, '--owner', owner, '--serial', eui, '--via', this.twin);
  }

  /** Tells of a frame, as The Things Stack does. */
  async hears(eui: string, count: number, payload: string): Promise<void> {
    const received_at = new Date().toISOString();
    const a = await this.wire.post(
      '/v1/webhooks/the-things-stack',
      {
        end_device_ids: { device_id: `meter-${eui.slice(-2)}`, dev_eui: eui, application_ids: { application_id: 'plant' } },
        received_at,
        uplink_message: { f_port: 1, f_cnt: count, frm_payload: payload, received_at, settings: { frequency: '868100000' } },
      },
      this.token,
    );
    if (a.status !== 200) throw new Error(`the frame is not taken: ${a.status} ${JSON.stringify(a.body)}`);
  }
}

type Castor = (...args: string[]) => Promise<string>;

/** The program `castor`, signed in as the first administrator, in a folder of its own. */
async function commands(p: Platform): Promise<Castor> {
  const cwd = await mkdtemp(join(p.dir, 'shell-'));
  const env = { ...process.env, HOME: cwd, XDG_CONFIG_HOME: cwd };
  const castor = (input: string, ...args: string[]) =>
    new Promise<string>((go, fail) => {
      const child = execFile(join(bin, 'castor'), args, { cwd, env }, (e, out, err) => (e ? fail(new Error(`castor ${args.join(' ')}: ${err || e}`)) : go(out)));
      child.stdin!.end(input);
    });
  await castor(p.admin.password, 'login', p.admin.name, '--url', p.url, '--password-stdin');
  return (...args) => castor('', ...args);
}
