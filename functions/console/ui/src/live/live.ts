// The page's one stream of changes: opened once, resumed by its last id, replaced by polling while it is cut.
import { now } from '@/api/clock';
import { reach } from '@/api/reach';
import { session } from '@/api/session';
import type { LiveEvents } from './events';
import { type Frame, Refused, readStream } from './sse';

/**
 * live: changes come as they happen. reconnecting: the stream is cut, and it is not known yet whether calls are answered. polling: they
 * are, and lists are read again every few seconds. away: they are not. off: nobody is signed in.
 */
export type LiveState = 'connecting' | 'live' | 'reconnecting' | 'polling' | 'away' | 'off';

const url = '/stream';
const silent = 40_000; // the connector beats every 15 s
const patience = 1_000; // a stream that is back sooner was never gone
const opening = 4_000; // the first may take longer
const unseen = 5_000; // a tab that is hidden for longer gives its connection to others: a browser has six for all of them
const shortest = 300; // ms before it is opened again, twice as long each time
const longest = 15_000;
const longestTimer = 2 ** 31 - 1;

/** Whether somebody may be looking at the page. */
export const visible = () => typeof document === 'undefined' || document.visibilityState !== 'hidden';

type Handler<K extends keyof LiveEvents> = (data: LiveEvents[K]) => void;

class LiveStream {
  private state: LiveState = 'off';
  private lastId = '';
  private stop: AbortController | null = null;
  /** Runs while the stream is away; then it counts as cut. A shorter break shows nowhere. */
  private late: ReturnType<typeof setTimeout> | undefined;
  private cut = false;
  /** Whether calls are answered since the stream went away; undefined: none has ended. */
  private answers: boolean | undefined;
  /** The page is hidden, and has no stream. */
  private hidden = false;
  private hiding: ReturnType<typeof setTimeout> | undefined;
  private line = new AbortController();
  private wake = new AbortController();
  private readonly stateListeners = new Set<() => void>();
  private readonly handlers = new Map<string, Set<(data: never) => void>>();

  constructor() {
    reach.subscribe((answers) => {
      if (answers && this.answers === false) this.wake.abort();
      this.answers = answers;
      if (this.cut) this.showCut();
    });
  }

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
    if (typeof document !== 'undefined')
      document.addEventListener('visibilitychange', this.look, { signal: this.stop.signal });
    this.look();
    void this.run(this.stop.signal);
  }

  /** Ends the stream and forgets where it was: the next reader may be somebody else. */
  end(): void {
    this.stop?.abort();
    this.stop = null;
    this.lastId = '';
    clearTimeout(this.hiding);
    this.hidden = false;
    this.there();
    this.set('off');
  }

  private async run(signal: AbortSignal): Promise<void> {
    this.set('connecting');
    for (let attempt = 0; !signal.aborted; attempt++) {
      if (this.hidden) {
        await this.pause(longestTimer, signal);
        attempt = -1;
        continue;
      }
      this.expectLate();
      let status = 0;
      let some = false;
      const anew = this.lastId === '';
      this.line = new AbortController();
      try {
        await readStream(url, this.lastId, AbortSignal.any([signal, this.line.signal]), silent, (f) => {
          if (signal.aborted) return; // it was in hand when the stream was ended
          attempt = 0;
          some = true;
          this.take(f, anew);
        });
      } catch (e) {
        if (e instanceof Refused) status = e.status;
        else if (e instanceof TypeError && !some && !signal.aborted) reach.tell(false);
      }
      if (this.hidden) continue;
      if (signal.aborted || !(await this.renewed(status))) return;
      this.expectLate();
      await this.pause(Math.min(longest, shortest * 2 ** attempt) * (0.7 + 0.6 * Math.random()), signal);
    }
  }

  private take(f: Frame, anew: boolean): void {
    this.there();
    this.set('live');
    if (f.id) this.lastId = f.id;
    if (f.event === 'hello' && anew) this.emit('begun', null);
    this.emit(f.event as keyof LiveEvents, f.data);
  }

  private expectLate(): void {
    if (this.late !== undefined) return;
    this.answers = undefined;
    this.late = setTimeout(
      () => {
        this.cut = true;
        this.showCut();
      },
      this.state === 'connecting' ? opening : patience,
    );
  }

  private showCut(): void {
    this.set(this.answers === undefined ? 'reconnecting' : this.answers ? 'polling' : 'away');
  }

  /** The stream is there, or nobody misses it. */
  private there(): void {
    clearTimeout(this.late);
    this.late = undefined;
    this.cut = false;
  }

  /** Gives the stream up while the page is hidden, and goes on behind its last id when it is seen again. */
  private look = (): void => {
    clearTimeout(this.hiding);
    if (!visible()) {
      this.hiding = setTimeout(() => {
        this.hidden = true;
        this.there();
        this.line.abort();
      }, unseen);
    } else if (this.hidden) {
      this.hidden = false;
      this.wake.abort();
    }
  };

  private async pause(ms: number, signal: AbortSignal): Promise<void> {
    this.wake = new AbortController();
    await pause(ms, AbortSignal.any([signal, this.wake.signal]));
  }

  /** The stream ends with its access token, and is refused without one: a new one opens the next. false: the person has to sign in. */
  private async renewed(status: number): Promise<boolean> {
    const ends = Date.parse(session.get()?.expires ?? '');
    if (status !== 401 && ends - now() > 30_000) return true;
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
