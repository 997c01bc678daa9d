// The page's one stream of changes: opened once, resumed by its last id, replaced by polling while it is cut.
import { session } from '@/api/session';
import type { LiveEvents } from './events';
import { type Frame, Refused, readStream } from './sse';

/** live: changes come as they happen. polling: the stream is cut, lists are read again every few seconds. off: nobody is signed in. */
export type LiveState = 'connecting' | 'live' | 'polling' | 'off';

const url = '/stream';
const silent = 40_000; // the connector beats every 15 s
const patience = 4_000; // a stream that is back sooner was never gone
const shortest = 300; // ms before it is opened again, twice as long each time
const longest = 15_000;

type Handler<K extends keyof LiveEvents> = (data: LiveEvents[K]) => void;

class LiveStream {
  private state: LiveState = 'off';
  private lastId = '';
  private stop: AbortController | null = null;
  /** Runs while the stream is away; then polling takes its place. A shorter break shows nowhere. */
  private late: ReturnType<typeof setTimeout> | undefined;
  private readonly stateListeners = new Set<() => void>();
  private readonly handlers = new Map<string, Set<(data: never) => void>>();

  getState = () => this.state;

  subscribeState = (f: () => void) => {
    this.stateListeners.add(f);
    return () => void this.stateListeners.delete(f);
  };

  /** Calls back for each event of a kind; returns what ends that. */
  on<K extends keyof LiveEvents>(event: K, f: Handler<K>): () => void {
    const all = this.handlers.get(event) ?? new Set();
    this.handlers.set(event, all);
    all.add(f);
    return () => void all.delete(f);
  }

  start(): void {
    if (this.stop) return;
    this.stop = new AbortController();
    void this.run(this.stop.signal);
  }

  /** Ends the stream and forgets where it was: the next reader may be somebody else. */
  end(): void {
    this.stop?.abort();
    this.stop = null;
    this.lastId = '';
    clearTimeout(this.late);
    this.late = undefined;
    this.set('off');
  }

  private async run(signal: AbortSignal): Promise<void> {
    this.set('connecting');
    for (let attempt = 0; !signal.aborted; attempt++) {
      this.late ??= setTimeout(() => this.set('polling'), patience);
      let status = 0;
      try {
        await readStream(url, this.lastId, signal, silent, (f) => {
          if (signal.aborted) return; // it was in hand when the stream was ended
          attempt = 0;
          this.take(f);
        });
      } catch (e) {
        if (e instanceof Refused) status = e.status;
      }
      if (signal.aborted || !(await this.renewed(status))) return;
      await pause(Math.min(longest, shortest * 2 ** attempt) * (0.7 + 0.6 * Math.random()), signal);
    }
  }

  private take(f: Frame): void {
    clearTimeout(this.late);
    this.late = undefined;
    this.set('live');
    if (f.id) this.lastId = f.id;
    this.emit(f.event as keyof LiveEvents, f.data);
  }

  /** The stream ends with its access token, and is refused without one: a new one opens the next. false: the person has to sign in. */
  private async renewed(status: number): Promise<boolean> {
    const ends = Date.parse(session.get()?.expires ?? '');
    if (status !== 401 && ends - Date.now() > 30_000) return true;
    try {
      return await session.renew();
    } catch {
      return true; // not reached: the next attempt tells
    }
  }

  private emit(event: keyof LiveEvents, data: unknown): void {
    for (const f of this.handlers.get(event) ?? []) {
      try {
        f(data as never);
      } catch (e) {
        // One listener's fault is told as such; it cuts nobody's stream.
        setTimeout(() => {
          throw e;
        });
      }
    }
  }

  private set(state: LiveState): void {
    if (state === this.state) return;
    this.state = state;
    for (const f of this.stateListeners) f();
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const t = setTimeout(done, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(t);
        done();
      },
      { once: true },
    );
  });
}

export const live = new LiveStream();
