import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inject } from 'vitest';
import { eventually } from './api';
import type { Platform } from './platform';
import { Program } from './process';

export type Values = Record<string, number | string | boolean>;

let made = 0;

/** A device whose values a story chooses: it provisions itself with a claim and reports over MQTT, as any other (see ../device). */
export class Device {
  private constructor(
    readonly serial: string,
    readonly twin: string,
    private readonly program: Program,
  ) {}

  /** Lets a device of a type come in with a claim that is made for it. */
  static async enrol(p: Platform, type: string, owner: string, serial: string): Promise<Device> {
    await p.api.post('identities/identities', { serial, model: 'story' });
    const claim = await p.api.post('credentials/claims', { type, owner, serials: serial });
    return Device.start(p, claim, serial);
  }

  /** Starts a device that has a claim, and waits until it is in. */
  static async start(p: Platform, claim: unknown, serial: string): Promise<Device> {
    const file = join(p.dir, `claim-${made++}.json`);
    await writeFile(file, JSON.stringify(claim), { mode: 0o600 });
    const program = new Program(inject('device'), ['-claim', file, '-serial', serial]);
    const m = await program.says(/^twin (\S+)$/);
    return new Device(serial, m[1]!, program);
  }

  /** Measures values now. Comes back when the platform has stored them. */
  measure(data: Values): Promise<void> {
    return this.tell([{ data }]);
  }

  /** Measures values and does not wait: where a driver reads what the device sends, nobody answers its numbers. */
  send(data: Values): void {
    this.program.write(JSON.stringify([{ data }]));
  }

  /** Tells what was measured earlier; `ago` in milliseconds. */
  remember(values: { ago: number; data: Values }[]): Promise<void> {
    return this.tell(values);
  }

  /** Writes a line of an app's log. */
  log(app: string, level: string, text: string): Promise<void> {
    return this.tell([{ app, level, text }]);
  }

  private async tell(reports: object[]): Promise<void> {
    const from = this.program.lines.length;
    this.program.write(JSON.stringify(reports));
    await this.program.says(/^stored$/, from, 120_000);
  }

  end(): Promise<void> {
    return this.program.end();
  }
}

/** A type of devices with properties and their units; nothing if it is there. */
export async function makeType(p: Platform, id: string, name: string, properties: Record<string, unknown>[]): Promise<void> {
  await p.api.post('twins/twins', { id, kind: 'type', definition: { name, model: { properties } } });
}

/** Waits until a twin's reading is what it should be. */
export function reading(p: Platform, twin: string, property: string, value: unknown): Promise<unknown> {
  return eventually(`${twin} reports ${property} = ${value}`, async () => {
    const t = await p.api.get(`twins/twins/${encodeURIComponent(twin)}`);
    return t.live?.reported?.some((r: { property: string; value: unknown }) => r.property === property && r.value === value);
  });
}
