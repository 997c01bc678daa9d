import { useSyncExternalStore } from 'react';
import { now as present } from '@/api/clock';
import { ago, dayTime, fullTime, utc } from './format';
import { Tooltip } from './Tooltip';

// One clock for all times on the page.
let now = present();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(f: () => void): () => void {
  listeners.add(f);
  if (!timer) now = present();
  timer ??= setInterval(() => {
    now = present();
    for (const g of listeners) g();
  }, 1000);
  return () => {
    listeners.delete(f);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** The platform's present, to the second; whoever uses it is drawn anew each second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

/** A time: how long ago (default) or when, in the reader's zone; UTC on hover and focus. None, and the year 1, are never. */
export function Time({
  at,
  exact = false,
  never = 'never',
}: {
  at: string | undefined;
  exact?: boolean;
  never?: string;
}) {
  if (!at || at.startsWith('0001-')) return <span>{never}</span>;
  const t = Date.parse(at);
  return (
    <Tooltip text={`${fullTime(t)} · ${utc(t)}`}>
      <time dateTime={at}>{exact ? dayTime(t) : <Ago t={t} />}</time>
    </Tooltip>
  );
}

function Ago({ t }: { t: number }) {
  return ago(t, Math.max(useNow(), present() - 1000));
}
