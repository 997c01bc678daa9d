import { type FormEvent, type ReactNode, useId } from 'react';
import { Button } from './Button';
import s from './ConfirmDialog.module.css';
import { Dialog } from './Dialog';
import { Refused } from './Refused';
import { useAction } from './useAction';

/** Asks before something is done, with what must be known for it (`children`). It closes when that is done, and says why if it was refused. */
export function ConfirmDialog({
  onClose,
  title,
  note,
  verb,
  danger,
  disabled,
  work,
  children,
}: {
  onClose: () => void;
  title: string;
  note?: ReactNode;
  /** What is done, on the button. */
  verb: string;
  /** It cannot be undone. */
  danger?: boolean;
  disabled?: boolean;
  work: () => Promise<unknown>;
  children?: ReactNode;
}) {
  const form = useId();
  const { busy, refused, faults, run } = useAction();
  const submit = (e: FormEvent) => {
    e.preventDefault();
    void run(async () => {
      await work();
      onClose();
    });
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={title}
      note={note}
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind={danger ? 'danger' : 'primary'} type="submit" form={form} busy={busy} disabled={disabled}>
            {verb}
          </Button>
        </>
      }
    >
      <form id={form} className={s.form} onSubmit={submit}>
        {children}
        <Refused reason={refused} faults={faults} />
      </form>
    </Dialog>
  );
}
