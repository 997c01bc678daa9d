import type { ReactNode } from 'react';
import s from './Card.module.css';
import { cx } from './cx';

/** A piece of a page with a heading. `flush` lets its content touch the edges, for tables and charts. */
export function Card({
  title,
  note,
  actions,
  flush,
  label,
  children,
  className,
}: {
  title?: ReactNode;
  note?: ReactNode;
  actions?: ReactNode;
  flush?: boolean;
  /** Its name, where it has no heading. */
  label?: string;
  children: ReactNode;
  className?: string;
}) {
  return (
    <section className={cx(s.card, className)} aria-label={label}>
      {(title || actions) && (
        <header className={s.head}>
          <h2>{title}</h2>
          {note && <span className={s.note}>{note}</span>}
          {actions && <div className={s.actions}>{actions}</div>}
        </header>
      )}
      <div className={cx(s.body, flush && s.flush)}>{children}</div>
    </section>
  );
}

/** Facts as name and value. */
export function Facts({ items }: { items: [name: string, value: ReactNode][] }) {
  return (
    <dl className={s.facts}>
      {items.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
