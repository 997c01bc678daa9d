import { useQuery } from '@tanstack/react-query';
import { Fragment, type ReactNode } from 'react';
import type { Alarm, Delivery } from '@/api/types';
import { occurrenceWords } from '@/parts/condition';
import { cx } from '@/parts/cx';
import { clockTime, dated, dayTime, utc } from '@/parts/format';
import { unitIn, useKinds } from '@/parts/useKinds';
import { actor } from '@/parts/words';
import s from './AlarmDetail.module.css';
import { deliveriesOf } from './alarms';

interface Moment {
  at: string;
  key: string;
  what: ReactNode;
  tone?: 'raised' | 'taken' | 'cleared' | 'failed';
}

/** What happened before, and since: raised, told, taken on, cleared. */
export function Timeline({ alarm: a }: { alarm: Alarm }) {
  const deliveries = useQuery(deliveriesOf(a.id));
  const told = deliveries.data?.items ?? [];
  const waiting = told.filter((d) => d.state === 'pending');
  const type = useKinds().get(a.type ?? '');
  const moments = momentsOf(a, told, (property) => unitIn(type, property));
  return (
    <section>
      <h3 className={s.heading}>What happened</h3>
      <ol className={s.timeline}>
        {moments.map((m, i) => (
          <Fragment key={m.key}>
            {day(m) !== day(moments[i - 1]) && <li className={s.day}>{day(m)}</li>}
            <li className={cx(m.tone && s[m.tone])}>
              <time dateTime={m.at} title={`${dayTime(Date.parse(m.at))} · ${utc(Date.parse(m.at))}`}>
                {clockTime(Date.parse(m.at))}
              </time>
              <span>{m.what}</span>
            </li>
          </Fragment>
        ))}
        {a.state !== 'cleared' && <li className={s.now}>It has not cleared yet.</li>}
      </ol>
      {deliveries.isError ? (
        <p className={s.faint}>Who was told could not be read.</p>
      ) : waiting.length > 0 ? (
        <p className={s.faint}>
          {waiting.length === 1 ? 'One notification is' : `${waiting.length} notifications are`} being sent.
        </p>
      ) : deliveries.data && told.length === 0 ? (
        <p className={s.faint}>Nobody was told by e-mail or webhook: no route of yours reaches this alarm.</p>
      ) : null}
    </section>
  );
}

const date = dated({ weekday: 'short', day: 'numeric', month: 'short' });
const day = (m: Moment | undefined) => m && date(Date.parse(m.at));

function momentsOf(a: Alarm, told: Delivery[], unitOf: (property: string) => string | undefined): Moment[] {
  const out: Moment[] = (a.before ?? []).map((o, i) => ({
    at: o.at,
    key: `before ${i}`,
    what: <bdi>{occurrenceWords(o.what, unitOf)}</bdi>,
  }));
  if (a.raisedAt) out.push({ at: a.raisedAt, key: 'raised', what: 'The alarm was raised', tone: 'raised' });
  if (a.acknowledgedAt)
    out.push({
      at: a.acknowledgedAt,
      key: 'taken',
      tone: 'taken',
      what: (
        <>
          <bdi>{actor(a.acknowledgedBy)}</bdi> took it on
        </>
      ),
    });
  if (a.clearedAt) out.push({ at: a.clearedAt, key: 'cleared', what: 'The alarm was over', tone: 'cleared' });
  for (const d of told)
    if (d.state !== 'pending' && (d.sent || a.raisedAt))
      out.push({
        at: d.sent ?? (d.raised ? a.raisedAt : a.clearedAt) ?? a.updated,
        key: d.id,
        tone: d.state === 'failed' ? 'failed' : undefined,
        what: (
          <>
            <bdi>{d.to || d.route}</bdi>{' '}
            {d.state === 'failed'
              ? `could not be told: ${d.reason ?? 'no reason given'}`
              : `was told of its ${d.raised ? 'beginning' : 'end'}`}
          </>
        ),
      });
  return out.sort((x, y) => Date.parse(x.at) - Date.parse(y.at));
}
