import { useQuery } from '@tanstack/react-query';
import { alarms } from '@/api/reads';
import type { Alarm, Twin } from '@/api/types';
import { SeverityBadge } from '@/parts/Badge';
import { Button } from '@/parts/Button';
import { titleWords } from '@/parts/condition';
import { said } from '@/parts/format';
import { Time } from '@/parts/Time';
import { useAcknowledge } from '@/parts/useAcknowledge';
import { unitIn } from '@/parts/useKinds';
import { actor, worstFirst } from '@/parts/words';
import { useTypeOf } from '../useTypeOf';
import s from './Head.module.css';

const shown = 3;

/** What is wrong with a twin now, the worst first; nothing where nothing is. */
export function AlarmStrip({ twin, more }: { twin: Twin; more: () => void }) {
  const { data } = useQuery(alarms({ twin: twin.id, state: 'open', limit: 100 }));
  const { type } = useTypeOf(twin);
  const { take } = useAcknowledge();
  const open = [...(data?.items ?? [])].sort(worstFirst);
  const worst = open[0];
  if (!worst) return null;
  return (
    <section className={s.alarms} data-severity={worst.severity} aria-label="Open alarms">
      {open.slice(0, shown).map((a) => (
        <Line key={a.id} alarm={a} unit={unitIn(type, a.property)} onTake={() => void take([a.id])} />
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

function Line({ alarm: a, unit, onTake }: { alarm: Alarm; unit?: string; onTake: () => void }) {
  const title = titleWords(a.title, unit);
  return (
    <div className={s.alarm}>
      <span>
        <SeverityBadge severity={a.severity} />
      </span>
      <b dir="auto">{title}</b>
      <span>
        {a.property && a.value !== undefined && a.value !== null && <>at {said(a.value, unit)} · </>}
        <Time at={a.raisedAt} />
      </span>
      <span>
        {a.acknowledgedBy ? (
          <>
            taken on by <bdi>{actor(a.acknowledgedBy)}</bdi>
          </>
        ) : (
          <Button size="s" aria-label={`Take on ${title.slice(0, 80)}`} onClick={onTake}>
            Take on
          </Button>
        )}
      </span>
    </div>
  );
}
