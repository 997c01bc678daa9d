// The page's one stream of changes: opened once, resumed by its last id, replaced by polling while it is cut.
import { session } from '@/api/session';
import type { LiveEvents } from './events';
import { Refused, readStream } from './sse';

/** live: changes come as they happen. polling: the stream is cut, lists are read again every few seconds. off: nobody is signed in. */
export type LiveState = 'connecting' | 'live' | 'polling' | 'off';

const url = '/stream';
const silent = 40_000; // the connector beats every 15 s
const patience = 4_000; // a stream that is back sooner was never gone

type Handler<K extends keyof LiveEvents> = (data: LiveEvents[K]) => void;

class LiveStream {
  private state: LiveState = 'off';
  private lastId = '';
  private stop: AbortController | null = null;
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
    this.set('off');
  }

  private async run(signal: AbortSignal): Promise<void> {
    this.set('connecting');
    for (let attempt = 0; !signal.aborted; ) {
      const late = setTimeout(() => !signal.aborted && this.set('polling'), patience);
      try {
        await readStream(url, this.lastId, signal, silent, (f) => {
          if (this.state !== 'live') this.set('live');
          clearTimeout(late);
          attempt = 0;
          if (f.id) this.lastId = f.id;
          this.emit(f.event as keyof LiveEvents, f.data);
        });
        if (!(await this.renewed())) return;
      } catch (e) {
        if (signal.aborted) return;
        if (e instanceof Refused && e.status === 401 && !(await this.renewed())) return;
        await pause(Math.min(15_000, 300 * 2 ** attempt++) * (0.7 + 0.6 * Math.random()), signal);
      } finally {
        clearTimeout(late);
      }
      if (this.state === 'live') this.soften(signal);
    }
  }

  /** The state stays "live" for a short break, so that nothing flickers when a stream changes hands. */
  private soften(signal: AbortSignal): void {
    const before = this.lastId;
    setTimeout(() => {
      if (!signal.aborted && this.state === 'live' && this.lastId === before && this.quiet) this.set('polling');
    }, patience);
    this.quiet = true;
  }
  private quiet = false;

  /** The stream ends with its access token: a new one opens the next. false: the person has to sign in. */
  private async renewed(): Promise<boolean> {
    const ends = Date.parse(session.get()?.expires ?? '');
    if (ends - Date.now() > 30_000) return true;
    try {
      return await session.renew();
    } catch {
      return true; // not reached: the next attempt tells
    }
  }

  private emit(event: keyof LiveEvents, data: unknown): void {
    this.quiet = false;
    for (const f of this.handlers.get(event) ?? []) f(data as never);
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
