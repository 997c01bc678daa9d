import type { ReactNode } from 'react';
import s from './Form.module.css';

/** The end of a form: why it was refused, and what can be done. */
export function FormEnd({ refused, children }: { refused: string; children: ReactNode }) {
  return (
    <>
      <p className={s.refused} role="alert">
        {refused}
      </p>
      <div className={s.actions}>{children}</div>
    </>
  );
}
