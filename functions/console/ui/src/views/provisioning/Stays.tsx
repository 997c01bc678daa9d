import type { Run } from '@/api/types';
import { took } from '@/parts/format';
import { stays, titleOf } from '@/parts/run/words';
import { useNow } from '@/parts/Time';
import s from './RunPage.module.css';

/** How long the run was in each state; the longest fills the width. */
export function Stays({ run }: { run: Run }) {
  const all = stays(run, useNow());
  const most = Math.max(1, ...all.map((x) => x.ms));
  return (
    <ol className={s.stays}>
      {all.map((x, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are only added, at the end
        <li key={i} className={s.stay} data-now={x.now || undefined}>
          <bdi>{titleOf(run.model, x.state)}</bdi>
          <span className={s.bar} aria-hidden>
            <span style={{ width: `${(100 * x.ms) / most}%` }} />
          </span>
          <span>
            {took(x.ms)}
            {x.now && <span className="visually-hidden"> so far</span>}
          </span>
        </li>
      ))}
    </ol>
  );
}
