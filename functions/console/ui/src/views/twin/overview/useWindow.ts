import { useEffect, useState } from 'react';
import { now as present } from '@/api/clock';
import { type Window, windowOf } from './window';

/** The stretch of time that the address says; one that moves does so about once per pixel. */
export function useWindow(range: string): Window {
  const [now, setNow] = useState(() => present() / 1000);
  const { from, to, moving } = windowOf(range, now);
  const every = Math.min(60_000, Math.max(1000, (to - from) * 1.5));
  useEffect(() => {
    setNow(present() / 1000);
    if (!moving) return;
    const t = setInterval(() => document.visibilityState === 'visible' && setNow(present() / 1000), every);
    return () => clearInterval(t);
  }, [moving, every]);
  return windowOf(range, now);
}
