import { CircleCheck, TriangleAlert } from 'lucide-react';
import { Toast as Radix } from 'radix-ui';
import { useSyncExternalStore } from 'react';
import { reasonOf } from '@/api/problem';
import { Button } from './Button';
import s from './toast.module.css';

interface Toast {
  id: number;
  text: string;
  bad: boolean;
  undo?: () => void;
  /** Where the focus was when it came: undo gives it back. */
  from: Element | null;
}

let shown: Toast[] = [];
let next = 1;
const listeners = new Set<() => void>();

function set(toasts: Toast[]): void {
  shown = toasts;
  for (const f of listeners) f();
}

function add(text: string, bad: boolean, undo?: () => void): void {
  set([...shown.slice(-3), { id: next++, text, bad, undo, from: document.activeElement }]);
}

/** Says for a moment what was done, or could not be. `undo` takes it back. */
export const toast = {
  done: (text: string, undo?: () => void) => add(text, false, undo),
  failed: (what: string, error: unknown) => add(`${what}: ${reasonOf(error)}`, true),
  /** Takes all away: another person signs in. */
  clear: () => set([]),
};

/** Where toasts stand; once on the page. */
export function Toasts() {
  const toasts = useSyncExternalStore(
    (f) => {
      listeners.add(f);
      return () => void listeners.delete(f);
    },
    () => shown,
  );
  return (
    <Radix.Provider swipeDirection="right">
      {toasts.map((t) => (
        <Radix.Root
          key={t.id}
          className={s.toast}
          duration={t.bad || t.undo ? 9000 : 4000}
          type={t.bad ? 'foreground' : 'background'}
          onOpenChange={(open) => !open && set(shown.filter((o) => o.id !== t.id))}
        >
          {t.bad ? <TriangleAlert aria-hidden className={s.bad} /> : <CircleCheck aria-hidden className={s.good} />}
          <Radix.Description className={s.text}>{t.text}</Radix.Description>
          {t.undo && (
            <Radix.Action asChild altText="Undo">
              <Button
                size="s"
                onClick={() => {
                  t.undo?.();
                  // Once the toast has gone: it takes the focus with it.
                  setTimeout(() => t.from instanceof HTMLElement && t.from.focus({ preventScroll: true }));
                }}
              >
                Undo
              </Button>
            </Radix.Action>
          )}
        </Radix.Root>
      ))}
      <Radix.Viewport className={s.place} />
    </Radix.Provider>
  );
}
