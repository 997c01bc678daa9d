import { type Fault, saidOnce } from '@/api/problem';
import s from './Refused.module.css';

/** Why something was refused, and all that was wrong. It is there before there is anything to say, so that it is read out. */
export function Refused({ reason, faults = [] }: { reason: string; faults?: readonly Fault[] }) {
  const said = saidOnce(reason, faults);
  return (
    <div role="alert" className={s.refused}>
      {said.reason && <p>{said.reason}</p>}
      {said.faults.length > 0 && (
        <ul className={s.faults}>
          {said.faults.map((f) => (
            <li key={`${f.line} ${f.text}`} dir="auto">
              {f.line ? `Line ${f.line}: ` : ''}
              {f.text}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
