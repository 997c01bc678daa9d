import { CircleCheck } from 'lucide-react';
import { reasonOf } from '@/api/problem';
import s from './Editor.module.css';
import type { Checked } from './useCheck';

/** What is wrong with the text, each with its line, which a click leads to. */
export function Faults({ id, checked, onGo }: { id: string; checked: Checked; onGo: (line: number) => void }) {
  const { faults, error, good } = checked;
  return (
    <div id={id} className={s.faults} role="status" aria-label="Faults">
      {error ? (
        <p className={s.fault}>
          <b>Not checked</b> {reasonOf(error)}
        </p>
      ) : faults.length === 0 ? (
        <p className={s.good}>
          {good ? (
            <>
              <CircleCheck aria-hidden /> No fault
            </>
          ) : (
            'Checking…'
          )}
        </p>
      ) : (
        faults.map((f) => (
          <button
            key={`${f.line} ${f.path} ${f.text}`}
            type="button"
            className={s.fault}
            onClick={() => onGo(f.line ?? 1)}
          >
            <b>{f.line ? `Line ${f.line}` : 'Model'}</b>
            <span>{f.text}</span>
          </button>
        ))
      )}
    </div>
  );
}
