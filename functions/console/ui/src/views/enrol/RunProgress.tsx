import { useQuery } from '@tanstack/react-query';
import { ArrowRight, Check, Minus, X } from 'lucide-react';
import { useEffect } from 'react';
import { oneRun } from '@/api/reads';
import type { Claim, Run } from '@/api/types';
import { ButtonLink } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { cx } from '@/parts/cx';
import { took } from '@/parts/format';
import { twinHref } from '@/parts/links';
import { Time } from '@/parts/Time';
import s from './ComingIn.module.css';
import { FirstReading } from './FirstReading';
import { roundOf, type Stage, stagesOf } from './progress';
import { Refusal } from './Refusal';

/** One device on its way in; nothing if the run is not of this claim. */
export function RunProgress({ id, claim, onMine }: { id: string; claim: Claim; onMine: () => void }) {
  const { data: run } = useQuery(oneRun(id));
  const mine = run?.request.claim === claim.id;
  useEffect(() => {
    if (mine) onMine();
  });
  if (!run || !mine) return null;
  const begun = roundOf(run)[0]?.at ?? run.created;
  const ended = run.outcome === 'completed';
  return (
    <>
      <Card
        title={
          <>
            <bdi className={s.serial}>{run.request.serial}</bdi> {words(run)}
          </>
        }
        note={<Time at={begun} />}
      >
        <ol className={s.stages}>
          {stagesOf(run).map((st) => (
            <StageLine key={st.state} stage={st} begun={Date.parse(begun)} />
          ))}
        </ol>
        {ended && run.twin && (
          <div className={s.in}>
            <FirstReading twin={run.twin} />
            <ButtonLink kind="primary" href={twinHref(run.twin)} icon={<ArrowRight aria-hidden />}>
              To the twin
            </ButtonLink>
          </div>
        )}
      </Card>
      {run.outcome === 'rejected' && (
        <Refusal
          title={
            <>
              <bdi>{run.request.serial}</bdi> was turned away
            </>
          }
          at={run.updated}
          reason={run.reason ?? ''}
          serial={run.request.serial}
          type={run.type}
        />
      )}
    </>
  );
}

function words(r: Run): string {
  if (r.outcome === 'completed') return 'is in';
  return r.outcome === 'rejected' || r.withdrawing ? 'did not come in' : 'is coming in…';
}

const icons = { done: Check, refused: X, now: Minus, ahead: Minus };
const said = { done: 'done', refused: 'refused', now: 'under way', ahead: 'still to come' };

function StageLine({ stage: st, begun }: { stage: Stage; begun: number }) {
  const Icon = icons[st.mark];
  return (
    <li className={cx(s.stage, s[st.mark])}>
      <span className={s.mark}>
        {st.mark === 'done' || st.mark === 'refused' ? <Icon aria-hidden /> : null}
        <span className="visually-hidden">{said[st.mark]}: </span>
      </span>
      <span>
        {st.title}
        {st.mark === 'now' && st.reason && <small dir="auto">{st.reason}</small>}
      </span>
      {st.at && <span className={s.took}>{took(Date.parse(st.at) - begun)}</span>}
    </li>
  );
}
