import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Api } from './api';
import { bin } from './paths';
import { freePort, Program } from './process';

export interface Person {
  name: string;
  password: string;
}

export interface Options {
  /** This machine is the first device, and measures every second. */
  agent?: boolean;
  /** Other processes may reach its NATS. */
  nats?: boolean;
}

/** A whole platform (`castor up`) in a directory of its own, on ports that stay the same when it is started again. */
export class Platform {
  readonly url: string;
  admin: Person = { name: 'admin', password: '' };
  /** The first administrator, by the API. */
  api!: Api;
  private program!: Program;

  private constructor(
    readonly dir: string,
    private readonly ports: number[],
    private readonly options: Options,
  ) {
    this.url = `http://127.0.0.1:${ports[0]}`;
  }

  static async start(options: Options = {}): Promise<Platform> {
    const dir = await mkdtemp(join(tmpdir(), 'castor-story-'));
    const p = new Platform(dir, [await freePort(), await freePort(), await freePort(), await freePort()], options);
    try {
      await p.start();
    } catch (e) {
      await p.end();
      throw e;
    }
    return p;
  }

  /** Where its NATS listens, if other processes may reach it. */
  get nats(): string {
    return `nats://127.0.0.1:${this.ports[3]}`;
  }

  /** The console's address of a view. */
  at(view = '/'): string {
    return `${this.url}/function/console${view}`;
  }

  /** Starts it and waits until it is ready; the first time it tells the administrator's password. */
  async start(): Promise<void> {
    const [listen, provisioning, operational] = this.ports.map((p) => `127.0.0.1:${p}`) as [string, string, string];
    this.program = new Program(join(bin, 'castor'), [
      ...['up', '--data', join(this.dir, 'data'), '--listen', listen, '--provisioning', provisioning, '--operational', operational],
      ...['provisioning', 'operational'].flatMap((phase) => ['grpc', 'http'].flatMap((protocol) => [`--${phase}-${protocol}`, '127.0.0.1:0'])),
      ...(this.options.nats ? ['--nats', `127.0.0.1:${this.ports[3]}`] : []),
      ...(this.options.agent ? ['--interval', '1s'] : ['--no-agent']),
    ]);
    await this.program.says(/Ctrl-C stops/);
    const shown = this.program.lines.join('\n').match(/password (\S+)/);
    if (shown) this.admin.password = shown[1]!;
    this.api = await Api.signIn(this.url, this.admin.name, this.admin.password);
  }

  /** Stops it as Ctrl-C does; it may be started again. */
  stop(): Promise<void> {
    return this.program.end('SIGINT');
  }

  /** Ends it for good and removes what it kept. */
  async end(): Promise<void> {
    await this.program.end('SIGINT');
    await rm(this.dir, { recursive: true, force: true });
  }
}
