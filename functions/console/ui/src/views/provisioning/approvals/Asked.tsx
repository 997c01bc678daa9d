import { useQueryClient } from '@tanstack/react-query';
import { ArrowLeft } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { ApiError } from '@/api/client';
import type { Run } from '@/api/types';
import { Button, ButtonLink } from '@/parts/Button';
import { Card, Facts } from '@/parts/Card';
import { TextArea } from '@/parts/Field';
import { installHref, runHref } from '@/parts/links';
import { useRun } from '@/parts/run/useRun';
import { askedOf, nextOf, present, stateOf } from '@/parts/run/words';
import { Failure, Skeleton } from '@/parts/States';
import { Time } from '@/parts/Time';
import { toast } from '@/parts/toast';
import { useAction } from '@/parts/useAction';
import s from './Approvals.module.css';
import { context } from './context';
import { decide, wantsReason } from './decide';

/** One run that asks people: all that is known of the device, what follows from either answer, and the answer. */
export function Asked({ id, onBack, onDone }: { id: string; onBack?: () => void; onDone: () => void }) {
  const query = useRun(id);
  const run = query.data;
  if (!run)
    return (
      <Card>
        {query.isPending ? <Skeleton lines={8} /> : <Failure error={query.error} retry={() => void query.refetch()} />}
      </Card>
    );
  return (
    <Card
      className={s.asked}
      title={<bdi>{run.request.serial || `A device of ${run.type}`}</bdi>}
      actions={
        <>
          {onBack && (
            <Button size="s" kind="quiet" icon={<ArrowLeft aria-hidden />} onClick={onBack}>
              All
            </Button>
          )}
          <ButtonLink size="s" kind="quiet" href={runHref(run.id)}>
            The run
          </ButtonLink>
        </>
      }
    >
      {run.asks ? <Question key={run.asks.state} run={run} onDone={onDone} /> : <Over run={run} />}
      <h3 className={s.about}>What is known of it</h3>
      <Facts items={context(run)} />
    </Card>
  );
}

/** It asks nobody any more. */
function Over({ run }: { run: Run }) {
  const d = run.decision;
  return (
    <div className={s.over} role="status">
      <p className={s.question} dir="auto">
        {run.outcome ? `It is ${run.outcome}.` : 'It has gone on.'} {run.outcome !== 'completed' && present(run)}
      </p>
      {d && (
        <p className={s.aside}>
          <bdi>{d.by.replace(/^user:/, '')}</bdi> {d.trigger} it <Time at={d.at} />
          {d.reason && (
            <>
              : <bdi>{d.reason}</bdi>
            </>
          )}
        </p>
      )}
    </div>
  );
}

function Question({ run, onDone }: { run: Run; onDone: () => void }) {
  const asks = run.asks!;
  const state = stateOf(run.model, asks.state);
  const queries = useQueryClient();
  const [reason, setReason] = useState('');
  const [lacking, setLacking] = useState('');
  const { busy, refused, run: act } = useAction();
  const field = useRef<HTMLDivElement>(null);
  const yes = useRef<HTMLButtonElement>(null);
  const next = nextOf(run);
  const to = (word: string) => next.find((n) => n.when.startsWith(word));
  const answer = (trigger: 'approved' | 'declined') => {
    // Who is turned away is told why; an approval needs a reason unless its model says otherwise.
    if (!reason.trim() && (trigger === 'declined' || wantsReason(state, trigger))) {
      setLacking('Say why: it stands in the run’s log.');
      field.current?.querySelector('textarea')?.focus();
      return;
    }
    void act(async () => {
      try {
        await decide(queries, run, { trigger, ...(reason.trim() && { reason: reason.trim() }) });
      } catch (e) {
        if (e instanceof ApiError && e.status === 409) toast.failed('Somebody else was faster', e);
        throw e;
      }
      toast.done(`${run.request.serial || run.id} is ${trigger}`);
      onDone();
    });
  };
  useEffect(() => {
    const pressed = (e: KeyboardEvent) => {
      const t = e.target as HTMLElement;
      if (
        e.metaKey ||
        e.ctrlKey ||
        e.altKey ||
        /^(INPUT|TEXTAREA|SELECT)$/.test(t.tagName) ||
        t.closest('[role=dialog]')
      )
        return;
      if (e.key === 'a') yes.current?.focus();
      else if (e.key === 'd') field.current?.querySelector('textarea')?.focus();
      else return;
      e.preventDefault();
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  }, []);
  if (state?.do === 'instruct')
    return (
      <div className={s.over}>
        <p className={s.question} dir="auto">
          {asks.text}
        </p>
        <ButtonLink kind="primary" href={installHref(run.id)}>
          Go on with it
        </ButtonLink>
      </div>
    );
  return (
    <form
      className={s.decision}
      onSubmit={(e) => {
        e.preventDefault();
        answer('approved');
      }}
    >
      <p className={s.question} dir="auto">
        {asks.text}
      </p>
      <p className={s.aside}>
        <bdi>{askedOf(run)}</bdi> decides · asked <Time at={asks.since} />
        {run.deadline && (
          <>
            {' '}
            · expires <Time at={run.deadline} />
          </>
        )}
        {asks.reminders ? ` · reminded ${asks.reminders}×` : ''}
      </p>
      <dl className={s.after}>
        <div>
          <dt>If you approve</dt>
          <dd dir="auto">it goes on: {to('somebody approves')?.to ?? 'as its model says'}</dd>
        </div>
        <div>
          <dt>If you decline</dt>
          <dd dir="auto">{said(to('somebody declines')?.to)}, and the device is told so</dd>
        </div>
        <div>
          <dt>If nobody decides</dt>
          <dd dir="auto">
            {run.deadline ? (
              <>
                {said(to('nothing comes')?.to)} <Time at={run.deadline} />
              </>
            ) : (
              'it goes on waiting'
            )}
          </dd>
        </div>
      </dl>
      <div ref={field}>
        <TextArea
          label="Reason"
          rows={2}
          maxLength={256}
          value={reason}
          error={lacking || undefined}
          hint={`Stands in the run’s log, beside your name.${wantsReason(state, 'approved') ? '' : ' An approval needs none.'}`}
          onChange={(e) => {
            setReason(e.target.value);
            setLacking('');
          }}
        />
      </div>
      <div className={s.buttons}>
        <Button ref={yes} type="submit" kind="primary" busy={busy}>
          Approve
        </Button>
        <Button kind="danger" busy={busy} onClick={() => answer('declined')}>
          Decline
        </Button>
        <p role="alert" className={s.refused}>
          {refused}
        </p>
      </div>
    </form>
  );
}

const said = (to: string | undefined) => (!to || /^rejected$/i.test(to) ? 'it is rejected' : `it goes to ${to}`);
