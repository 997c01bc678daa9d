// What a live event makes stale, and polling while there are none.
import type { QueryClient } from '@tanstack/react-query';
import { live, visible } from './live';

const gather = 400; // ms: a hundred events refresh a list once
const first = 3_000; // ms without the stream after which the lists are read
const every = 5_000; // ms between polls

/** Keeps what is shown up to date until the returned function is called. */
export function keepFresh(queries: QueryClient): () => void {
  const stale = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const mark = (...words: string[]) => {
    for (const w of words) stale.add(w);
    timer ??= setTimeout(refresh, gather);
  };
  /** What is just being read is read again when it is there: events without a pause must not keep a list from ever coming. */
  const refresh = () => {
    timer = undefined;
    const now = new Set(stale);
    stale.clear();
    const due = queries.getQueryCache().findAll({ predicate: (q) => now.has(word(q.queryKey)) });
    const reading = due.filter((q) => q.state.fetchStatus === 'fetching');
    void queries.invalidateQueries({ predicate: (q) => due.includes(q) && !reading.includes(q) });
    if (reading.length > 0) mark(...reading.map((q) => word(q.queryKey)));
  };
  const shown = () => queries.getQueryCache().findAll({ type: 'active' });
  const ends = [
    live.on('twin', (e) => mark('twins', 'counts', `twin ${e.twin}`)),
    live.on('run', (e) =>
      mark('runs', 'board', 'claims', `run ${e.run}`, ...(e.twin ? [`twin ${e.twin}`] : []), 'counts', 'twins'),
    ),
    live.on('alarm', (e) => mark('alarms', 'counts', `twin ${e.twin}`)),
    live.on('waiting', () => mark('waiting')),
    // The first lists were read while the stream was being opened: what changed in between stands in neither.
    live.on('begun', () => mark(...shown().map((q) => word(q.queryKey)))),
    live.on('reload', () => void queries.invalidateQueries()),
    live.subscribeState(() => poll()),
  ];
  const read = () => {
    if (visible()) void queries.invalidateQueries({ type: 'active' });
  };
  let soon: ReturnType<typeof setTimeout> | undefined;
  let polling: ReturnType<typeof setInterval> | undefined;
  function poll() {
    const state = live.getState();
    const on = state === 'reconnecting' || state === 'polling' || state === 'away';
    if (on && !polling) {
      soon = setTimeout(read, first);
      polling = setInterval(read, every);
    }
    if (!on && polling) {
      clearTimeout(soon);
      clearInterval(polling);
      polling = undefined;
      // The stream is back: what was missed meanwhile comes by it, or a reload does; the lists are read once more to be sure.
      if (state === 'live') void queries.invalidateQueries({ type: 'active' });
    }
  }
  poll();
  return () => {
    for (const end of ends) end();
    clearTimeout(timer);
    clearTimeout(soon);
    clearInterval(polling);
  };
}

/** twin and run are refreshed one by one, lists as a whole. */
function word(key: readonly unknown[]): string {
  const first = String(key[0]);
  return first === 'twin' || first === 'run' ? `${first} ${String(key[1])}` : first;
}
