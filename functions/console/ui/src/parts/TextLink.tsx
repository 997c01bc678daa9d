import type { ReactNode } from 'react';
import { Link } from 'wouter';
import s from './TextLink.module.css';

/** A link within text, to be seen as one; names that are too long are wrapped. */
export function TextLink({ href, children }: { href: string; children: ReactNode }) {
  return (
    <Link href={href} className={s.link}>
      <bdi>{children}</bdi>
    </Link>
  );
}
