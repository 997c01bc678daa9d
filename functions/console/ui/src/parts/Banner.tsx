import type { ReactNode } from 'react';
import s from './Banner.module.css';
import { cx } from './cx';

/** Says above a view that something stands still or will, and what to do about it; beside the words what does it, if there is such a thing. */
export function Banner({
  label,
  tone = 'warning',
  action,
  children,
}: {
  label: string;
  tone?: 'warning' | 'critical';
  action?: ReactNode;
  children: ReactNode;
}) {
  return (
    <section className={cx(s.banner, tone === 'critical' && s.critical)} aria-label={label}>
      <p>{children}</p>
      {action}
    </section>
  );
}
