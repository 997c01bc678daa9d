// The session lives in cookies that no script can read; what is kept here is who is signed in, and until when the access token is good.
// Renewing it is one page's work at a time, across tabs: a lock, and a look whether another tab was faster.
import { binding, consoleHeader } from './binding';
import { problemOf, unreachable } from './problem';
import type { Session } from './types';

const url = '/function/console/session';
const renewedKey = 'castor.renewed';
type Listener = (s: Session | null) => void;

let current: Session | null = null;
let lost = false;
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
    return s;
  },

  async signOut(): Promise<void> {
    const r = await call('DELETE', url);
    if (!r.ok && r.status !== 401) throw await failure(r);
    set(null);
    lost = false;
  },

  /** Gets a new access token; false tells that the person must sign in again. Errors are of the network, or the platform's. */
  async renew(): Promise<boolean> {
    const asked = Date.now();
    const work = async () => {
      const renewed = Number(localStorage.getItem(renewedKey) ?? 0);
      const r = renewed >= asked ? await call('GET', url) : await call('POST', `${url}/refresh`, {});
      if (nobody(r)) {
        set(null);
        return false;
      }
      set(await read(r));
      localStorage.setItem(renewedKey, String(Date.now()));
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
  current = s;
  for (const f of listeners) f(s);
  return s;
}

async function call(method: string, to: string, body?: unknown, value?: string): Promise<Response> {
  const json: Record<string, string> = body === undefined ? {} : { 'Content-Type': 'application/json' };
  try {
    return await fetch(to, {
      method,
      headers: { ...consoleHeader(value), ...json },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw unreachable();
  }
}

async function read(r: Response): Promise<Session> {
  if (!r.ok) throw await failure(r);
  return (await r.json()) as Session;
}

async function failure(r: Response) {
  return problemOf(r.status, await r.json().catch(() => null), r.headers.get('Retry-After'));
}
