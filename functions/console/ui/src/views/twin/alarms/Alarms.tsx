import { useInfiniteQuery } from '@tanstack/react-query';
import { BellOff } from 'lucide-react';
import { Link } from 'wouter';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Alarm, Rule, Twin } from '@/api/types';
import { Badge, SeverityBadge } from '@/parts/Badge';
import { Button } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { clockTime, took, value } from '@/parts/format';
import { Empty, Failure, Skeleton } from '@/parts/States';
import { Time } from '@/parts/Time';
import s from './Alarms.module.css';
import { Rules } from './Rules';
import { useRules } from './useRules';

/** What was wrong with a twin, what came before, and the rules that watch it. */
export default function Alarms({ twin }: { twin: Twin }) {
  const rules = useRules(twin);
  const query = { twin: twin.id, limit: 30 };
  const alarms = useInfiniteQuery({
    queryKey: keys.alarms({ ...query, pages: true }),
    queryFn: ({ signal, pageParam }) =>
      ok(api.GET('/function/alerts/alarms', { params: { query: { ...query, cursor: pageParam } }, signal })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next || undefined,
  });
  const all = alarms.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <div className={s.page}>
      <Card title="Alarms" flush>
        {alarms.isPending ? (
          <div className={s.pad}>
            <Skeleton lines={4} />
          </div>
        ) : alarms.isError && !alarms.data ? (
          <Failure error={alarms.error} retry={() => void alarms.refetch()} />
        ) : all.length === 0 ? (
          <Empty icon={<BellOff aria-hidden />} title="No alarm yet">
            When a reading crosses one of the rules below for long enough, it is raised here.
          </Empty>
        ) : (
          <ul>
            {all.map((a) => (
              <Row key={a.id} alarm={a} rule={rules.rules.find((r) => r.id === a.rule)} twin={twin} />
            ))}
          </ul>
        )}
        {alarms.hasNextPage && (
          <div className={s.pad}>
            <Button size="s" busy={alarms.isFetchingNextPage} onClick={() => void alarms.fetchNextPage()}>
              Show older
            </Button>
          </div>
        )}
      </Card>
      <Rules twin={twin} {...rules} />
    </div>
  );
}

function Row({ alarm: a, rule, twin }: { alarm: Alarm; rule?: Rule; twin: Twin }) {
  const before = a.before ?? [];
  const over = a.clearedAt && a.raisedAt;
  return (
    <li className={s.alarm}>
      <div className={s.line}>
        <SeverityBadge severity={a.severity} />
        <b dir="auto" className={s.title}>
          {a.title}
        </b>
        {a.twin !== twin.id && (
          <Link href={`/twins/${encodeURIComponent(a.twin)}`} className={s.link}>
            <bdi>{a.name || a.twin}</bdi>
          </Link>
        )}
        <Badge tone={a.state === 'cleared' ? 'neutral' : a.state === 'raised' ? 'critical' : 'info'}>{a.state}</Badge>
        <span className={s.when}>
          <Time at={a.raisedAt} />
        </span>
      </div>
      <p className={s.note}>
        {a.property && a.value !== undefined && a.value !== null && (
          <span>
            <bdi>{a.property}</bdi> was <b>{value(a.value)}</b>
          </span>
        )}
        {over && <span>lasted {took(Date.parse(a.clearedAt!) - Date.parse(a.raisedAt!))}</span>}
        {a.acknowledgedBy && (
          <span>
            taken on by <bdi>{a.acknowledgedBy.replace(/^user:/, '')}</bdi>
            {a.note && (
              <>
                : <bdi>{a.note}</bdi>
              </>
            )}
          </span>
        )}
        {rule ? (
          <span>
            rule{' '}
            <Link href={`/rules/new?rule=${encodeURIComponent(rule.id)}`} className={s.link}>
              <bdi>{ruleName(rule, a, twin)}</bdi>
            </Link>
          </span>
        ) : (
          a.rule === 'offline' && <span>by the type’s offlineAfter</span>
        )}
      </p>
      {before.length > 0 && (
        <details className={s.before}>
          <summary>What came before ({before.length})</summary>
          <ol>
            {before.map((o, i) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: they never change
              <li key={i}>
                <time dateTime={o.at} title={o.at}>
                  {clockTime(Date.parse(o.at))}
                </time>
                <span dir="auto">{o.what}</span>
              </li>
            ))}
          </ol>
        </details>
      )}
    </li>
  );
}

/** What the alarm's title does not say already. */
function ruleName(r: Rule, a: Alarm, t: Twin): string {
  const said = r.name || r.condition;
  if (said !== a.title) return said;
  if (r.name) return r.condition;
  return r.target === t.id ? 'of its own' : `of ${r.target}`;
}
