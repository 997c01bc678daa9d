import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

/** A program that was started, with what it says line by line. It is ended by its own id, never by name. */
export class Program {
  readonly lines: string[] = [];
  private readonly waiting = new Set<() => void>();
  private ended = false;
  private readonly child: ChildProcess;

  constructor(file: string, args: string[], env: NodeJS.ProcessEnv = {}, cwd?: string) {
    this.child = spawn(file, args, { cwd, env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    for (const out of [this.child.stdout!, this.child.stderr!])
      createInterface({ input: out }).on('line', (l) => {
        this.lines.push(l);
        this.wake();
      });
    this.child.on('error', (e) => this.lines.push(String(e)));
    this.child.on('close', () => {
      this.ended = true;
      this.wake();
    });
  }

  write(line: string): void {
    this.child.stdin!.write(`${line}\n`);
  }

  /** Waits for a line that matches, from a line number on; throws with all that was said if the program ends before. */
  async says(what: RegExp, from = 0, ms = 60_000): Promise<RegExpMatchArray> {
    const end = Date.now() + ms;
    for (let at = from; ; ) {
      for (; at < this.lines.length; at++) {
        const m = this.lines[at]!.match(what);
        if (m) return m;
      }
      if (this.ended || Date.now() > end)
        throw new Error(`${this.child.spawnfile} ${this.ended ? 'ended' : 'was waited for'} and did not say ${what}:\n${this.lines.join('\n')}`);
      await new Promise<void>((go) => {
        const t = setTimeout(go, Math.max(1, end - Date.now()));
        this.waiting.add(() => {
          clearTimeout(t);
          go();
        });
      });
    }
  }

  /** Ends it and waits until it has ended. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.ended) return;
    const closed = new Promise<void>((go) => this.child.once('close', () => go()));
    this.child.kill(signal);
    const hard = setTimeout(() => this.child.kill('SIGKILL'), 20_000);
    await closed;
    clearTimeout(hard);
  }

  private wake(): void {
    const all = [...this.waiting];
    this.waiting.clear();
    for (const f of all) f();
  }
}

// Below those that systems take for connections and for listeners that leave the choice to them: a port of those, asked for and let go, may be
// somebody's when it is needed. Each process of tests begins elsewhere.
const [first, last] = [18_000, 31_999];
let given = first + ((process.pid * 997) % (last - first));

/** A port that nothing listens on; each is given out once. */
export async function freePort(): Promise<number> {
  for (let tries = last - first; tries > 0; tries--) {
    given = given < last ? given + 1 : first;
    if (await isFree(given)) return given;
  }
  throw new Error('no port is free');
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const s = createServer();
    s.once('error', () => done(false));
    s.listen(port, '127.0.0.1', () => s.close(() => done(true)));
  });
}
