// The session lives in cookies that no script can read; what is kept here is who is signed in, and until when the access token is good.
// Renewing it is one page's work at a time, across tabs: a lock, and a look whether another tab was faster.
import { binding, consoleHeader } from './binding';
import { setClock } from './clock';
import { ApiError, problemOf, unreachable } from './problem';
import { storage } from './storage';
import { hearTabs, tellTabs } from './tabs';
import type { Session } from './types';

const url = '/function/console/session';
const renewedKey = 'castor.renewed';
type Listener = (s: Session | null) => void;

let current: Session | null = null;
let lost = false;
let known = 0; // when it was last found out who is signed in
const fresh = 30_000; // ms for which that is believed by a page that was not looked at
const listeners = new Set<Listener>();

export const session = {
  get: () => current,

  /** Whether somebody was signed in here, did not sign out, and has to sign in again. */
  ended: () => lost,

  /** Calls back whenever somebody signs in or out here. */
  subscribe(f: Listener): () => void {
    listeners.add(f);
    return () => void listeners.delete(f);
  },

  /** Finds out who is signed in. null: nobody. */
  async load(): Promise<Session | null> {
    const r = await call('GET', url);
    if (nobody(r)) return (await this.renew()) ? current : set(null);
    return set(await read(r));
  },

  async signIn(name: string, password: string): Promise<Session> {
    const value = binding.fresh();
    const s = await read(await call('POST', url, { name, password }, value));
    binding.keep(value);
    set(s);
    tellTabs(s.user.id);
    return s;
  },

  async signOut(): Promise<void> {
    const r = await call('DELETE', url);
    if (!r.ok && r.status !== 401) throw await failure(r);
    signedOut();
    tellTabs(null);
  },

  /** Follows what other tabs do, and asks again who is signed in when the page is looked at after a while. Returns what ends that. */
  watch(): () => void {
    const look = () => void session.load().catch(() => {}); // while nobody answers nothing is known to have changed
    const end = hearTabs((user) => {
      if (user === (current?.user.id ?? null)) return;
      if (current) signedOut();
      if (user !== null) look();
    });
    const stop = new AbortController();
    const shown = () => {
      if (current && document.visibilityState === 'visible' && Math.abs(Date.now() - known) > fresh) look();
    };
    document.addEventListener('visibilitychange', shown, { signal: stop.signal });
    // The browser shows the page as it was left, perhaps by somebody else.
    addEventListener('pageshow', (e) => e.persisted && look(), { signal: stop.signal });
    return () => {
      end();
      stop.abort();
    };
  },

  /** Gets a new access token; false tells that the person must sign in again. Errors are of the network, or the platform's. */
  async renew(): Promise<boolean> {
    const asked = Date.now();
    const work = async () => {
      const renewed = Number(storage.get(renewedKey) ?? 0);
      // Another tab was faster. A time that has not come yet is of a clock that was wrong.
      const already = renewed >= asked && renewed <= Date.now();
      let r = already ? await call('GET', url) : undefined;
      if (!r || nobody(r)) r = await call('POST', `${url}/refresh`, {});
      if (nobody(r)) {
        set(null);
        return false;
      }
      set(await read(r));
      storage.set(renewedKey, String(Date.now()));
      return true;
    };
    return navigator.locks ? navigator.locks.request('castor.session', work) : work();
  },
};

/** 204: nobody is signed in here; 401: somebody was. */
const nobody = (r: Response) => r.status === 204 || r.status === 401;

function set(s: Session | null): Session | null {
  // Another tab has changed hands: between two people there is a moment with nobody, in which what was the first one's goes.
  if (s && current && s.user.id !== current.user.id) set(null);
  lost = !s && (lost || !!current);
  if (s) known = Date.now();
  current = s;
  for (const f of listeners) f(s);
  return s;
}

/** Nobody is signed in, and that is what somebody wanted. */
function signedOut(): void {
  set(null);
  lost = false;
}

async function call(method: string, to: string, body?: unknown, value?: string): Promise<Response> {
  const json: Record<string, string> = body === undefined ? {} : { 'Content-Type': 'application/json' };
  try {
    const asked = Date.now();
    const r = await fetch(to, {
      method,
      headers: { ...consoleHeader(value), ...json },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    setClock(r.headers.get('Date'), asked);
    return r;
  } catch {
    throw unreachable();
  }
}

async function read(r: Response): Promise<Session> {
  if (!r.ok) throw await failure(r);
  const s = (await r.json().catch(() => null)) as Session | null;
  // Something else may answer here: another program at the same address, a proxy.
  if (typeof s?.user?.id === 'string' && Array.isArray(s.user.roles) && !Number.isNaN(Date.parse(s.expires))) return s;
  throw new ApiError(
    r.status,
    'What answers here is not a Castor platform. Check the address, and what stands between.',
  );
}

async function failure(r: Response) {
  return problemOf(r.status, await r.json().catch(() => null), r.headers.get('Retry-After'));
}
