import { memo } from 'react';
import s from './DayChart.module.css';
import type { Step } from './replay';
import type { Scale } from './scale';
import { stepLength } from './useDay';

/** What was measured: the last value of each step as a line, its extremes as a band. Drawn anew only with the scale, not with the lines. */
export const Trace = memo(function Trace({ steps, x, y }: { steps: Step[]; x: Scale; y: Scale }) {
  return runs(steps).map((run) => {
    const at = (p: Step) => x.at(p.at + stepLength / 2).toFixed(1);
    const path = (v: (p: Step) => number, of = run) => of.map((p) => `${at(p)},${y.at(v(p)).toFixed(1)}`).join('L');
    const key = run[0]?.at;
    return run.length === 1 && run[0] ? (
      <circle key={key} className={s.alone} cx={at(run[0])} cy={y.at(run[0].last)} r={1.5} />
    ) : (
      <g key={key}>
        <path className={s.band} d={`M${path((p) => p.max)}L${path((p) => p.min, [...run].reverse())}Z`} />
        <path className={s.line} d={`M${path((p) => p.last)}`} />
      </g>
    );
  });
});

/** Steps that belong together: a gap of five times the usual distance, and of at least five minutes, parts them. */
function runs(steps: Step[]): Step[][] {
  const gaps = steps.slice(1).map((p, i) => p.at - (steps[i]?.at ?? 0));
  const usual = [...gaps].sort((a, b) => a - b)[Math.floor(gaps.length / 2)] ?? 0;
  const limit = Math.max(300, usual * 5);
  const out: Step[][] = [];
  for (const [i, p] of steps.entries()) {
    if (i === 0 || (gaps[i - 1] ?? 0) > limit) out.push([]);
    out[out.length - 1]?.push(p);
  }
  return out;
}
