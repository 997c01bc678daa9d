import { useQuery } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { ApiError } from '@/api/client';
import { rulesThatWatch } from '@/api/reads';
import type { Alarm } from '@/api/types';
import { SeverityBadge } from '@/parts/Badge';
import { Button } from '@/parts/Button';
import { Facts } from '@/parts/Card';
import { titleWords } from '@/parts/condition';
import { Dialog } from '@/parts/Dialog';
import { said } from '@/parts/format';
import { Lasted } from '@/parts/Lasted';
import { ruleHref, twinHref } from '@/parts/links';
import { Empty, Failure, Skeleton } from '@/parts/States';
import { TextLink } from '@/parts/TextLink';
import { Time } from '@/parts/Time';
import { isMine, useAcknowledge } from '@/parts/useAcknowledge';
import { unitIn, useKinds } from '@/parts/useKinds';
import { actor } from '@/parts/words';
import s from './AlarmDetail.module.css';
import { oneAlarm } from './alarms';
import { NoteDialog } from './NoteDialog';
import { Timeline } from './Timeline';

/** One alarm with what led to it and who knows of it, at the side of the list. */
export function AlarmDetail({ id, onClose }: { id: string; onClose: () => void }) {
  const alarm = useQuery(oneAlarm(id));
  const kinds = useKinds();
  const [noting, setNoting] = useState(false);
  const { take, letGo } = useAcknowledge();
  const shown = useRef('');
  if (id) shown.current = id;
  const a = id ? alarm.data : undefined;
  const unit = unitIn(kinds.get(a?.type ?? ''), a?.property);
  const missing = alarm.error instanceof ApiError && alarm.error.status === 404;
  return (
    <Dialog
      side
      open={id !== ''}
      onClose={onClose}
      back={() => document.querySelector<HTMLElement>(`[data-alarm="${CSS.escape(shown.current)}"] button`)}
      title={a ? titleWords(a.title, unit).slice(0, 200) : 'Alarm'}
      footer={
        a &&
        a.state !== 'cleared' && (
          <>
            {isMine(a) && <Button onClick={() => void letGo([a.id])}>Let go</Button>}
            {a.state === 'raised' && <Button onClick={() => setNoting(true)}>Take on with a note…</Button>}
            {a.state === 'raised' && (
              <Button kind="primary" onClick={() => void take([a.id])}>
                Take on
              </Button>
            )}
          </>
        )
      }
    >
      {a ? (
        <div className={s.detail}>
          <Facts items={factsOf(a, unit)} />
          <Timeline alarm={a} />
          {noting && <NoteDialog count={1} onClose={() => setNoting(false)} onTake={(n) => void take([a.id], n)} />}
        </div>
      ) : missing ? (
        <Empty title="There is no such alarm, or it is not yours to see" />
      ) : alarm.isError ? (
        <Failure error={alarm.error} what="The alarm could not be read" retry={() => alarm.refetch()} />
      ) : (
        <Skeleton lines={6} height={24} />
      )}
    </Dialog>
  );
}

function factsOf(a: Alarm, unit: string | undefined): [string, React.ReactNode][] {
  const facts: [string, React.ReactNode][] = [
    [
      'State',
      <span key="state" className={s.badges}>
        <SeverityBadge severity={a.severity} />
        {a.state === 'cleared' ? 'cleared' : a.state === 'raised' ? 'open, nobody has taken it on' : 'open, taken on'}
      </span>,
    ],
    [
      'Twin',
      a.twin ? (
        <TextLink key="twin" href={twinHref(a.twin)}>
          {a.name || a.twin}
        </TextLink>
      ) : (
        'The platform itself'
      ),
    ],
  ];
  if (a.property)
    facts.push([
      'Value',
      <span key="value">
        <bdi>{a.property}</bdi> was <b>{said(a.value, unit)}</b> then
      </span>,
    ]);
  facts.push(['Duration', <Lasted key="lasted" alarm={a} />]);
  facts.push([
    'Rule',
    a.rule === 'offline' ? (
      'No sign of life for as long as its type allows'
    ) : a.twin ? (
      <RuleLink key="rule" id={a.rule} twin={a.twin} unit={unit} />
    ) : (
      <bdi key="rule">{a.rule}</bdi>
    ),
  ]);
  if (a.acknowledgedBy)
    facts.push([
      'Taken on',
      <span key="by">
        by <bdi>{actor(a.acknowledgedBy)}</bdi>, <Time at={a.acknowledgedAt} />
      </span>,
    ]);
  if (a.note)
    facts.push([
      'Note',
      <span key="note" dir="auto" className={s.note}>
        {a.note}
      </span>,
    ]);
  const where = [a.location?.site, a.location?.region].filter(Boolean).join(', ');
  if (where) facts.push(['Where', <bdi key="where">{where}</bdi>]);
  return facts;
}

/** The rule in words; of one that watches the twin no longer, only that. */
function RuleLink({ id, twin, unit }: { id: string; twin: string; unit?: string }) {
  const rules = useQuery(rulesThatWatch(twin));
  const rule = rules.data?.items.find((r) => r.rule.id === id)?.rule;
  if (!rule) return <span>{rules.isPending ? '…' : rules.isError ? id : 'It watches this twin no longer'}</span>;
  return <TextLink href={ruleHref(id)}>{titleWords(rule.condition, unit)}</TextLink>;
}
