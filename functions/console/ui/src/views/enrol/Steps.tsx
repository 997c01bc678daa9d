import { Check } from 'lucide-react';
import { Link } from 'wouter';
import { cx } from '@/parts/cx';
import { addressOf, type Place } from './address';
import s from './Steps.module.css';

const words = ['Type', 'Device', 'Hand over and watch'];

/** Where the person is in the enrolment, and the way back. */
export function Steps({ place }: { place: Place }) {
  const at = place.step === 'watch' ? 2 : place.step === 'device' ? 1 : 0;
  return (
    <nav aria-label="Steps">
      <ol className={s.steps}>
        {words.map((w, i) => {
          const inner = (
            <>
              <span className={s.mark}>{i < at ? <Check aria-hidden /> : i + 1}</span>
              {w}
              {i < at && <span className="visually-hidden"> (done)</span>}
            </>
          );
          return (
            <li key={w} className={cx(s.step, i < at && s.done)} aria-current={i === at ? 'step' : undefined}>
              {/* What was made by a step is not unmade by going back, so from the last one leads only the beginning. */}
              {i === 0 && at > 0 ? <Link href={addressOf({ step: 'type' })}>{inner}</Link> : <span>{inner}</span>}
            </li>
          );
        })}
      </ol>
    </nav>
  );
}
