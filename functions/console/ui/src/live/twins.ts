// What was last heard from twins, apart from the lists that were read: a reading then costs one row, not one list.
import { useSyncExternalStore } from 'react';
import type { Twin } from '@/api/types';
import type { TwinReadings } from './events';
import { live } from './live';

const bound = 20_000; // twins that are remembered; the one heard from longest ago goes first

export interface Heard {
  connected: boolean;
  online: boolean;
  lastSeen?: string;
  messages: number;
  reported: Map<string, TwinReadings['reported'][number]>;
  /** Properties that the device has removed, and when (RFC 3339). */
  removed: Map<string, string>;
}

const heard = new Map<string, Heard>();
const listeners = new Map<string, Set<() => void>>();
let pending = new Set<string>();
let scheduled = false;

function take(t: TwinReadings): void {
  const old = heard.get(t.twin);
  const reported = new Map(old?.reported);
  const removed = new Map(old?.removed);
  for (const r of t.reported) {
    reported.delete(r.property);
    removed.delete(r.property);
    if (r.value === null) removed.set(r.property, r.at ?? t.lastSeen ?? '');
    else reported.set(r.property, r);
  }
  const { connected, online, lastSeen, messages } = t;
  heard.delete(t.twin);
  heard.set(t.twin, { connected, online, lastSeen, messages, reported, removed });
  if (heard.size > bound) heard.delete(heard.keys().next().value as string);
  if (listeners.has(t.twin)) pending.add(t.twin);
}

/** Whoever looks is told once per frame, however many readings came. */
function tell(): void {
  if (scheduled || pending.size === 0) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    const twins = pending;
    pending = new Set();
    for (const id of twins) for (const f of listeners.get(id) ?? []) f();
  });
}

live.on('readings', ({ twins }) => {
  for (const t of twins) take(t);
  tell();
});
live.on('twin', ({ twin, gone }) => {
  if (!gone || !heard.delete(twin)) return;
  pending.add(twin);
  tell();
});

/** Forgets everything: another person signs in, or too much was missed. */
export function forgetHeard(): void {
  heard.clear();
  pending = new Set(listeners.keys());
  tell();
}
live.on('reload', forgetHeard);

/** What was heard from a twin since this page was opened; undefined if nothing was. */
export function useHeard(id: string): Heard | undefined {
  return useSyncExternalStore(
    (f) => {
      const all = listeners.get(id) ?? new Set();
      listeners.set(id, all);
      all.add(f);
      return () => {
        all.delete(f);
        if (all.size === 0) listeners.delete(id);
      };
    },
    () => heard.get(id),
  );
}

/** The twin as it was read, with what was heard since. */
export function useLiveTwin(t: Twin): Twin {
  const h = useHeard(t.id);
  return h ? merge(t, h) : t;
}

/** Brings what was heard into what was read, where it is newer. */
export function merge(t: Twin, h: Heard): Twin {
  const p = t.live.presence;
  if ((p.lastSeen ?? '') > (h.lastSeen ?? '')) return t;
  const reported = new Map((t.live.reported ?? []).map((r) => [r.property, r]));
  for (const [property, at] of h.removed) if ((reported.get(property)?.at ?? '') <= at) reported.delete(property);
  for (const r of h.reported.values()) {
    const old = reported.get(r.property);
    if (!old || old.at <= (r.at ?? ''))
      reported.set(r.property, { ...(old ?? { order: t.live.last }), ...r } as NonNullable<typeof old>);
  }
  return {
    ...t,
    live: {
      ...t.live,
      messages: Math.max(t.live.messages, h.messages),
      presence: {
        ...p,
        connected: h.connected,
        offline: h.online ? false : p.offline || !h.connected,
        lastSeen: h.lastSeen ?? p.lastSeen,
      },
      reported: [...reported.values()].sort((a, b) => (a.property < b.property ? -1 : 1)),
    },
  };
}

/** twin.Presence.Online of the platform: connected, or in need of no connection and not silent. */
export function online(t: Twin): boolean {
  const p = t.live.presence;
  return !p.offline && (p.connected || (!p.session && !!p.lastSeen));
}
