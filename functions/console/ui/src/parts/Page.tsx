import { type ReactNode, useEffect } from 'react';
import { Link } from 'wouter';
import s from './Page.module.css';

// A window's title is drawn by the browser or the desktop: a name must not turn around what stands behind it.
const bidi = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** The frame of every view: the title (also the window's), where it belongs, what can be done. */
export function Page({
  title,
  up,
  badges,
  note,
  actions,
  children,
}: {
  title: string;
  up?: { href: string; label: string };
  badges?: ReactNode;
  note?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}) {
  useEffect(() => {
    document.title = `${[...title.slice(0, 160).replace(bidi, '')].slice(0, 80).join('')} · Castor`;
  }, [title]);
  return (
    <div className={s.page}>
      <header className={s.head}>
        <div className={s.titles}>
          {up && (
            <Link href={up.href} className={s.up}>
              {up.label} <span aria-hidden>/</span>
            </Link>
          )}
          <div className={s.title}>
            <h1 dir="auto" title={title.length > 80 ? title : undefined}>
              {title}
            </h1>
            {badges}
          </div>
          {note && <p className={s.note}>{note}</p>}
        </div>
        {actions && <div className={s.actions}>{actions}</div>}
      </header>
      {children}
    </div>
  );
}
