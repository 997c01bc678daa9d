import { useRef, useState } from 'react';
import { count } from '@/parts/format';
import type { Tell } from './settle';
import s from './Waiting.module.css';

/** How far a decision about many is; who closes its dialog half-way leaves the others as they are. */
export function useHowFar(onClose: () => void) {
  const [asked, setAsked] = useState<number>();
  const closed = useRef(false);
  const tell: Tell = (n) => {
    setAsked(n);
    return !closed.current;
  };
  return {
    asked,
    close: () => {
      closed.current = true;
      onClose();
    },
    work: async <T,>(decide: (tell: Tell) => Promise<T>) => {
      setAsked(0);
      try {
        return await decide(tell);
      } catch (e) {
        setAsked(undefined);
        throw e;
      }
    },
  };
}

/** The same as a bar; nothing about one device, or before it has begun. */
export function HowFar({ asked, all }: { asked: number | undefined; all: number }) {
  if (asked === undefined || all < 2) return null;
  return (
    <p className={s.progress} role="status">
      <progress max={all} value={asked} aria-label="How far it is" />
      {count(asked)} of {count(all)}
    </p>
  );
}
