import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { BellOff } from 'lucide-react';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import { rulesThatWatch } from '@/api/reads';
import type { Alarm, Rule, Twin } from '@/api/types';
import { Badge, SeverityBadge, type Tone } from '@/parts/Badge';
import { Card } from '@/parts/Card';
import { occurrenceWords, titleWords } from '@/parts/condition';
import { clockTime, said } from '@/parts/format';
import { Lasted } from '@/parts/Lasted';
import { Listed, More } from '@/parts/Listed';
import { ruleHref, twinHref } from '@/parts/links';
import { Empty } from '@/parts/States';
import { TextLink } from '@/parts/TextLink';
import { Time } from '@/parts/Time';
import { unitIn } from '@/parts/useKinds';
import { actor } from '@/parts/words';
import { useTypeOf } from '../useTypeOf';
import s from './Alarms.module.css';
import { Rules } from './Rules';

/** What was wrong with a twin, what came before, and the rules that watch it. */
export default function Alarms({ twin }: { twin: Twin }) {
  const watching = useQuery({ ...rulesThatWatch(twin.id), staleTime: 30_000 });
  const rules = watching.data?.items.map((i) => i.rule) ?? [];
  const type = useTypeOf(twin).type;
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
        <Listed
          query={alarms}
          count={all.length}
          empty={
            <Empty icon={<BellOff aria-hidden />} title="No alarm yet">
              When a reading crosses one of the rules below for long enough, it is raised here.
            </Empty>
          }
        >
          <ul>
            {all.map((a) => (
              <Row
                key={a.id}
                alarm={a}
                rule={rules.find((r) => r.id === a.rule)}
                twin={twin}
                unitOf={(property) => unitIn(type, property)}
              />
            ))}
          </ul>
        </Listed>
        {alarms.hasNextPage && (
          <More busy={alarms.isFetchingNextPage} onClick={() => void alarms.fetchNextPage()}>
            Show older
          </More>
        )}
      </Card>
      <Rules twin={twin} rules={rules} query={watching} type={type} />
    </div>
  );
}

function Row({
  alarm: a,
  rule,
  twin,
  unitOf,
}: {
  alarm: Alarm;
  rule?: Rule;
  twin: Twin;
  unitOf: (property: string) => string | undefined;
}) {
  const unit = unitOf(a.property ?? '');
  const before = a.before ?? [];
  return (
    <li className={s.alarm}>
      <div className={s.line}>
        <SeverityBadge severity={a.severity} />
        <b dir="auto" className={s.title}>
          {titleWords(a.title, unit)}
        </b>
        {a.twin !== twin.id && <TextLink href={twinHref(a.twin)}>{a.name || a.twin}</TextLink>}
        <StateBadge state={a.state} />
        <span className={s.when}>
          <Time at={a.raisedAt} />
        </span>
      </div>
      <p className={s.note}>
        {a.property && a.value !== undefined && a.value !== null && (
          <span>
            <bdi>{a.property}</bdi> was <b>{said(a.value, unit)}</b>
          </span>
        )}
        {a.clearedAt && (
          <span>
            lasted <Lasted alarm={a} short />
          </span>
        )}
        {a.acknowledgedBy && (
          <span>
            taken on by <bdi>{actor(a.acknowledgedBy)}</bdi>
            {a.note && (
              <>
                : <bdi>{a.note}</bdi>
              </>
            )}
          </span>
        )}
        {rule ? (
          <span>
            rule <TextLink href={ruleHref(rule.id)}>{ruleName(rule, a, twin, unit)}</TextLink>
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
                <span dir="auto">{occurrenceWords(o.what, unitOf)}</span>
              </li>
            ))}
          </ol>
        </details>
      )}
    </li>
  );
}

const states: Record<Alarm['state'], [tone: Tone, word: string]> = {
  raised: ['critical', 'open'],
  acknowledged: ['info', 'taken on'],
  cleared: ['neutral', 'cleared'],
};

function StateBadge({ state }: { state: Alarm['state'] }) {
  const [tone, word] = states[state];
  return <Badge tone={tone}>{word}</Badge>;
}

/** What the alarm's title does not say already. */
function ruleName(r: Rule, a: Alarm, t: Twin, unit: string | undefined): string {
  const said = r.name || r.condition;
  if (said !== a.title) return titleWords(said, unit);
  if (r.name) return titleWords(r.condition, unit);
  return r.target === t.id ? 'of its own' : `of ${r.target}`;
}
