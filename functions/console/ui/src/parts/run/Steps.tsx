import { Check, Clock, Minus, RotateCcw, Undo2, Unlink, X } from 'lucide-react';
import type { ReactNode } from 'react';
import type { RunStep } from '@/api/types';
import { cx } from '@/parts/cx';
import { clockTime, took } from '@/parts/format';
import { Time } from '@/parts/Time';
import { departure } from './progress';
import s from './Steps.module.css';

const marks: Record<RunStep['outcome'], ReactNode> = {
  done: <Check />,
  waiting: <Clock />,
  refused: <X />,
  failed: <RotateCcw />,
  undone: <Undo2 />,
  ended: <Check />,
  ignored: <Minus />,
};

/** The log of a run, oldest first: when, what, by whom, what came of it and why. Who waited, and went on, waits no more. */
export function Steps({
  steps,
  since,
  name = (state) => state,
}: {
  steps: RunStep[];
  since: string;
  /** What a state is called. */
  name?: (state: string) => string;
}) {
  const gone = departure(steps);
  return (
    <>
      <p className={s.heading} aria-hidden>
        since the start
      </p>
      <ol className={s.steps}>
        {steps.map((step, i) => {
          const at = Date.parse(step.at);
          const over = step.outcome === 'waiting' && i < steps.length - 1;
          const outcome = over ? 'done' : step.outcome;
          // What is undone once a twin has gone is no failure of the device's.
          const after = gone >= 0 && i >= gone;
          const rejected = step.outcome === 'ended' && step.reason?.startsWith('rejected');
          const bad = !after && (step.outcome === 'refused' || rejected);
          const told = after && i > gone && rejected; // why, by the step that says that it went
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: steps are only added, at the end
            <li key={i} className={cx(s.step, s[outcome], bad && s.bad, after && s.gone)}>
              <span className={s.mark} aria-hidden>
                {i === gone ? <Unlink /> : bad ? <X /> : marks[outcome]}
              </span>
              <div className={s.what}>
                <p className={s.line}>
                  <b dir="auto" title={step.state}>
                    {name(step.state)}
                  </b>
                  {step.action && <span className={s.action}>{step.action}</span>}
                  <span className={s.outcome}>{i === gone ? 'twin gone' : over ? 'waited' : step.outcome}</span>
                  <span className={s.by} title={step.trace ? `trace ${step.trace}` : undefined}>
                    by <bdi>{step.actor}</bdi>
                  </span>
                </p>
                {step.reason && !told && (
                  <p className={s.reason} dir="auto">
                    {step.reason}
                  </p>
                )}
              </div>
              <div className={s.when}>
                <time dateTime={step.at} title={step.at}>
                  {clockTime(at)}
                </time>
                <span>
                  <span className="visually-hidden">since the start: </span>+{took(at - Date.parse(since))}
                </span>
              </div>
            </li>
          );
        })}
      </ol>
    </>
  );
}

/** How long a run took, or has been under way. */
export function Took({ from, to }: { from: string; to?: string }) {
  if (!to) return <Time at={from} />;
  return <>{took(Date.parse(to) - Date.parse(from))}</>;
}
