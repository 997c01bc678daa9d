import { useQuery } from '@tanstack/react-query';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Alarm, Severity } from '@/api/types';
import { SeverityBadge } from '@/parts/Badge';
import { value } from '@/parts/format';
import { Time } from '@/parts/Time';
import s from './Head.module.css';

const rank: Record<Severity, number> = { critical: 0, warning: 1, info: 2 };
const shown = 3;

/** What is wrong with a twin now, the worst first; nothing where nothing is. */
export function AlarmStrip({ twin, more }: { twin: string; more: () => void }) {
  const query = { twin, state: 'open', limit: 100 } as const;
  const { data } = useQuery({
    queryKey: keys.alarms(query),
    queryFn: ({ signal }) => ok(api.GET('/function/alerts/alarms', { params: { query }, signal })),
  });
  const open = [...(data?.items ?? [])].sort((a, b) => rank[a.severity] - rank[b.severity]);
  const worst = open[0];
  if (!worst) return null;
  return (
    <section className={s.alarms} data-severity={worst.severity} aria-label="Open alarms">
      {open.slice(0, shown).map((a) => (
        <Line key={a.id} alarm={a} />
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

function Line({ alarm: a }: { alarm: Alarm }) {
  return (
    <div className={s.alarm}>
      <span>
        <SeverityBadge severity={a.severity} />
      </span>
      <b dir="auto">{a.title}</b>
      <span>
        {a.property && a.value !== undefined && a.value !== null && <>at {value(a.value)} · </>}
        <Time at={a.raisedAt} />
      </span>
      <span>{a.acknowledgedBy ? `taken on by ${a.acknowledgedBy.replace(/^user:/, '')}` : ''}</span>
    </div>
  );
}
