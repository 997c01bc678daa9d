import { X } from 'lucide-react';
import { Dialog as Radix } from 'radix-ui';
import { type ReactNode, useRef } from 'react';
import { IconButton } from './Button';
import { cx } from './cx';
import s from './Dialog.module.css';

/** A dialog that holds the focus until it is closed. `side` puts it at the right edge, for what needs room. */
export function Dialog({
  open,
  onClose,
  title,
  note,
  children,
  footer,
  side = false,
  back,
}: {
  open: boolean;
  onClose: () => void;
  title: string;
  note?: ReactNode;
  children: ReactNode;
  footer?: ReactNode;
  side?: boolean;
  /** What takes the focus after it, where what had it before is gone. */
  back?: () => HTMLElement | null | undefined;
}) {
  // Where the focus was: dialogs here are opened by state, so Radix knows no trigger to give it back to.
  const before = useRef<Element | null>(null);
  const opened = (e: Event) => {
    e.preventDefault();
    before.current = document.activeElement;
    const content = e.currentTarget as HTMLElement;
    (content.querySelector<HTMLElement>('input, textarea, select') ?? content).focus();
  };
  const closed = (e: Event) => {
    e.preventDefault();
    const had = before.current;
    const to = had instanceof HTMLElement && had.isConnected && had !== document.body ? had : back?.();
    to?.focus({ preventScroll: true });
  };
  // A list that is open in it is closed first: see Combobox.
  const escaped = (e: KeyboardEvent) => {
    if (e.target instanceof Element && e.target.matches('[role="combobox"][aria-expanded="true"]')) e.preventDefault();
  };
  return (
    <Radix.Root open={open} onOpenChange={(o) => !o && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className={s.veil} />
        <Radix.Content
          className={cx(s.dialog, side && s.side)}
          onOpenAutoFocus={opened}
          onEscapeKeyDown={escaped}
          onCloseAutoFocus={closed}
          {...(note ? {} : { 'aria-describedby': undefined })}
        >
          <header className={s.head}>
            <div>
              <Radix.Title className={s.title} dir="auto">
                {title}
              </Radix.Title>
              {note && <Radix.Description className={s.note}>{note}</Radix.Description>}
            </div>
            <Radix.Close asChild>
              <IconButton label="Close">
                <X aria-hidden />
              </IconButton>
            </Radix.Close>
          </header>
          <div className={s.body}>{children}</div>
          {footer && <footer className={s.foot}>{footer}</footer>}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
