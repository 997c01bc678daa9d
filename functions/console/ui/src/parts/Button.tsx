import type { ComponentProps, ReactNode } from 'react';
import { Link } from 'wouter';
import s from './Button.module.css';
import { cx } from './cx';
import { Tooltip } from './Tooltip';

type Kind = 'primary' | 'default' | 'quiet' | 'danger';

interface Looks {
  kind?: Kind;
  size?: 'm' | 's';
  icon?: ReactNode;
}

/** A button. `busy` keeps its width, tells assistive technology, and takes no second click. */
export function Button({
  kind = 'default',
  size = 'm',
  icon,
  busy,
  className,
  children,
  disabled,
  ...rest
}: ComponentProps<'button'> & Looks & { busy?: boolean }) {
  return (
    <button
      type="button"
      {...rest}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      className={cx(s.button, s[kind], s[size], className)}
    >
      {icon}
      {children}
      {busy && <span className={s.spinner} aria-hidden />}
    </button>
  );
}

/** A link that looks like a button. */
export function ButtonLink({
  kind = 'default',
  size = 'm',
  icon,
  href,
  children,
}: Looks & { href: string; children: ReactNode }) {
  return (
    <Link href={href} className={cx(s.button, s[kind], s[size])}>
      {icon}
      {children}
    </Link>
  );
}

/** A button that is only an icon; `label` is its name, shown on hover. */
export function IconButton({
  label,
  children,
  className,
  side,
  ...rest
}: ComponentProps<'button'> & { label: string; side?: 'top' | 'right' | 'bottom' | 'left' }) {
  return (
    <Tooltip text={label} side={side}>
      <button type="button" aria-label={label} {...rest} className={cx(s.icon, className)}>
        {children}
      </button>
    </Tooltip>
  );
}
