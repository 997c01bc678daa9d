import { useQuery } from '@tanstack/react-query';
import { alarms } from '@/api/reads';
import type { Alarm, Twin } from '@/api/types';
import { SeverityBadge } from '@/parts/Badge';
import { titleWords } from '@/parts/condition';
import { said } from '@/parts/format';
import { Time } from '@/parts/Time';
import { unitIn } from '@/parts/useKinds';
import { actor, worstFirst } from '@/parts/words';
import { useTypeOf } from '../useTypeOf';
import s from './Head.module.css';

const shown = 3;

/** What is wrong with a twin now, the worst first; nothing where nothing is. */
export function AlarmStrip({ twin, more }: { twin: Twin; more: () => void }) {
  const { data } = useQuery(alarms({ twin: twin.id, state: 'open', limit: 100 }));
  const { type } = useTypeOf(twin);
  const open = [...(data?.items ?? [])].sort(worstFirst);
  const worst = open[0];
  if (!worst) return null;
  return (
    <section className={s.alarms} data-severity={worst.severity} aria-label="Open alarms">
      {open.slice(0, shown).map((a) => (
        <Line key={a.id} alarm={a} unit={unitIn(type, a.property)} />
      ))}
      <button type="button" className={s.more} onClick={more}>
        {open.length > shown
          ? `${open.length - shown}${data?.next ? '+' : ''} more open, and the rules behind them`
          : 'What came before, and the rule behind'}{' '}
        →
      </button>
    </section>
  );
}

function Line({ alarm: a, unit }: { alarm: Alarm; unit?: string }) {
  return (
    <div className={s.alarm}>
      <span>
        <SeverityBadge severity={a.severity} />
      </span>
      <b dir="auto">{titleWords(a.title, unit)}</b>
      <span>
        {a.property && a.value !== undefined && a.value !== null && <>at {said(a.value, unit)} · </>}
        <Time at={a.raisedAt} />
      </span>
      <span>{a.acknowledgedBy ? `taken on by ${actor(a.acknowledgedBy)}` : ''}</span>
    </div>
  );
}
