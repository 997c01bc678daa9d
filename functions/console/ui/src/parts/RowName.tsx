import type { ReactNode } from 'react';
import { Link } from 'wouter';
import s from './RowName.module.css';

/** The name of a row of a list, which leads to its page; two lines of it at most, however long it is. */
export function RowName({ href, children }: { href: string; children: string }) {
  return (
    <Link href={href} className={s.name} title={children.length > 24 ? children : undefined}>
      <bdi>{children}</bdi>
    </Link>
  );
}

/** What stands below a name, on one line. */
export function RowNote({ children, title }: { children: ReactNode; title?: string }) {
  return (
    <span className={s.note} dir="auto" title={title}>
      {children}
    </span>
  );
}
