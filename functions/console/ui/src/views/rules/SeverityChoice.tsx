import { useId } from 'react';
import type { Severity } from '@/api/types';
import { cx } from '@/parts/cx';
import { severities } from '@/parts/words';
import s from './SeverityChoice.module.css';

/** How bad the alarm is: three radio buttons side by side. */
export function SeverityChoice({ value, onChange }: { value: Severity; onChange: (v: Severity) => void }) {
  const name = useId();
  return (
    <fieldset className={s.choice}>
      <legend>Severity</legend>
      <div>
        {severities.toReversed().map((v) => (
          <label key={v} className={cx(s.option, s[v])}>
            <input type="radio" name={name} value={v} checked={value === v} onChange={() => onChange(v)} />
            <span className={s.dot} aria-hidden />
            {v}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
