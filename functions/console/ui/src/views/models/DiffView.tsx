import { useMemo } from 'react';
import { cx } from '@/parts/cx';
import s from './DiffView.module.css';
import { diff, pieces } from './diff';

const signs = { same: ' ', gone: '−', new: '+' } as const;
const words = { same: '', gone: 'gone: ', new: 'new: ' } as const;

/** What differs between two texts, line by line. */
export function DiffView({ before, after, label }: { before: string; after: string; label: string }) {
  const found = useMemo(() => pieces(diff(before, after)), [before, after]);
  if (found.length === 0) return <p className={s.same}>There is no difference.</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: who has only a keyboard must be able to scroll it
    <section className={s.box} aria-label={label} tabIndex={0}>
      {found.map((lines, p) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: made anew whenever a text changes
        <pre key={p} className={s.piece}>
          {lines.map((l, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: made anew whenever a text changes
            <div key={i} className={cx(s.line, s[l.kind])}>
              <span className="visually-hidden">{words[l.kind]}</span>
              <span className={s.sign} aria-hidden>
                {signs[l.kind]}
              </span>
              {l.text}
            </div>
          ))}
        </pre>
      ))}
    </section>
  );
}
