import { type ComponentProps, type ReactNode, useId } from 'react';
import { cx } from './cx';
import s from './Field.module.css';

interface Label {
  label: string;
  hint?: ReactNode;
  error?: string;
  /** The label is read out, not shown. */
  bare?: boolean;
}

function useField({ hint, error }: Pick<Label, 'hint' | 'error'>) {
  const id = useId();
  const said = error || hint ? `${id}-said` : undefined;
  return { id, props: { id, 'aria-describedby': said, 'aria-invalid': error ? true : undefined }, said };
}

function Frame({
  id,
  said,
  label,
  hint,
  error,
  bare,
  children,
}: Label & { id: string; said?: string; children: ReactNode }) {
  return (
    <div className={s.field}>
      <label htmlFor={id} className={bare ? 'visually-hidden' : s.label}>
        {label}
      </label>
      {children}
      {said && (
        <p id={said} className={error ? s.error : s.hint}>
          {error || hint}
        </p>
      )}
    </div>
  );
}

/** One line of text. */
export function TextField({ label, hint, error, bare, className, ...rest }: Label & ComponentProps<'input'>) {
  const f = useField({ hint, error });
  return (
    <Frame id={f.id} said={f.said} label={label} hint={hint} error={error} bare={bare}>
      <input
        type="text"
        autoComplete="off"
        spellCheck={false}
        {...rest}
        {...f.props}
        className={cx(s.input, className)}
      />
    </Frame>
  );
}

/** One of a few. The browser's own list, which is the best one on a phone. */
export function Select({ label, hint, error, bare, className, children, ...rest }: Label & ComponentProps<'select'>) {
  const f = useField({ hint, error });
  return (
    <Frame id={f.id} said={f.said} label={label} hint={hint} error={error} bare={bare}>
      <select {...rest} {...f.props} className={cx(s.input, s.select, className)}>
        {children}
      </select>
    </Frame>
  );
}

export function TextArea({ label, hint, error, bare, className, ...rest }: Label & ComponentProps<'textarea'>) {
  const f = useField({ hint, error });
  return (
    <Frame id={f.id} said={f.said} label={label} hint={hint} error={error} bare={bare}>
      <textarea rows={3} {...rest} {...f.props} className={cx(s.input, s.area, className)} />
    </Frame>
  );
}
