// What the tabs of one browser tell each other: who has signed in, or that somebody has signed out.

const name = 'castor.who';

/** Tells all other tabs who is signed in now; null: nobody. */
export function tellTabs(user: string | null): void {
  if (typeof BroadcastChannel !== 'undefined') {
    const channel = new BroadcastChannel(name);
    channel.postMessage(user);
    channel.close();
    return;
  }
  try {
    // A change of what is stored is told to the other tabs; it must be a change.
    localStorage.setItem(name, JSON.stringify([user, Date.now()]));
  } catch {
    // they find out when they are looked at
  }
}

/** Calls back with what other tabs tell, until the returned function is called. */
export function hearTabs(hear: (user: string | null) => void): () => void {
  const take = (user: unknown) => (typeof user === 'string' || user === null) && hear(user);
  if (typeof BroadcastChannel !== 'undefined') {
    const channel = new BroadcastChannel(name);
    channel.onmessage = (e) => take(e.data);
    return () => channel.close();
  }
  const stored = (e: StorageEvent) => {
    if (e.key !== name || !e.newValue) return;
    try {
      take(JSON.parse(e.newValue)[0]);
    } catch {
      // not ours
    }
  };
  addEventListener('storage', stored);
  return () => removeEventListener('storage', stored);
}
