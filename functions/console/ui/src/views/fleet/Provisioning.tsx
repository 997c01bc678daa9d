import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { Link } from 'wouter';
import { oneRun, runs } from '@/api/reads';
import type { Run } from '@/api/types';
import type { RunEvent } from '@/live/events';
import { live } from '@/live/live';
import { cx } from '@/parts/cx';
import { count } from '@/parts/format';
import { twinHref } from '@/parts/links';
import { Time } from '@/parts/Time';
import s from './Provisioning.module.css';
import { progress, words } from './progress';

const most = 3; // that are shown; the others are counted
// How long a run stays after its end, in ms: most take less than a second, and a rejected one asks for something to be done.
const linger = { completed: 5_000, rejected: 30_000 };

/** The provisionings under way, newest first, each with the step it is at; done ones stay for a moment. */
export function Provisioning() {
  const open = useQuery(runs({ open: 'true', limit: 50 }));
  const ended = useEnded();
  const under = (open.data?.items ?? []).filter((r) => !r.outcome && !ended.some((e) => e.run === r.id));
  const all = under.length + ended.length;
  return (
    <section className={s.card} aria-label="Provisioning">
      <h2 className={s.title}>
        Provisioning
        {under.length > 0 && (
          <span className={s.count}>
            {count(under.length)}
            {open.data?.next && '+'}
          </span>
        )}
      </h2>
      {all === 0 ? (
        <p className={s.none}>
          {open.isError ? 'Could not be read.' : 'Nothing under way.'}{' '}
          <Link href="/enrol" className={s.link}>
            Enrol a device
          </Link>
        </p>
      ) : (
        <ul className={s.list}>
          {ended.slice(0, most).map((e) => (
            <Ended key={e.run} run={e} />
          ))}
          {under.slice(0, Math.max(0, most - ended.length)).map((r) => (
            <UnderWay key={r.id} run={r} />
          ))}
        </ul>
      )}
    </section>
  );
}

/** A run that goes on; it is read by itself, because lists have neither models nor steps. */
function UnderWay({ run: listed }: { run: Run }) {
  const run = useQuery(oneRun(listed.id)).data ?? listed;
  const failed = run.steps.at(-1)?.outcome === 'failed';
  return (
    <li className={s.run}>
      <Who twin={run.twin} serial={run.request.serial} />
      <span className={cx(s.step, failed && s.bad)}>
        {run.waiting && 'waits: '}
        {words(run.state)}
        {failed && ', tried again'}
      </span>
      <span className={s.when}>
        <Time at={run.created} />
      </span>
      <Bar done={run.outcome ? 1 : progress(run)} />
    </li>
  );
}

function Ended({ run }: { run: RunEvent }) {
  const rejected = run.outcome === 'rejected';
  return (
    <li className={s.run}>
      <Who twin={run.twin} serial={run.serial} />
      <span className={cx(s.step, rejected ? s.bad : s.good)} title={rejected ? run.steps.at(-1)?.reason : undefined}>
        {rejected ? 'rejected' : 'done'}
      </span>
      <Bar done={1} bad={rejected} />
    </li>
  );
}

function Who({ twin, serial }: { twin: string | undefined; serial: string }) {
  return twin ? (
    <Link href={twinHref(twin)} className={s.who} title={serial}>
      <bdi>{twin}</bdi>
    </Link>
  ) : (
    <bdi className={s.who} title={serial}>
      {serial}
    </bdi>
  );
}

function Bar({ done, bad }: { done: number | undefined; bad?: boolean }) {
  return (
    <span className={cx(s.bar, bad && s.badBar, done === undefined && s.unknown)} aria-hidden>
      <span style={{ width: `${Math.round((done ?? 0.3) * 100)}%` }} />
    </span>
  );
}

/** Runs that have just ended. */
function useEnded(): RunEvent[] {
  const [ended, setEnded] = useState<RunEvent[]>([]);
  useEffect(() => {
    const timers = new Set<ReturnType<typeof setTimeout>>();
    const end = live.on('run', (e) => {
      if (!e.outcome) return;
      setEnded((old) => [e, ...old.filter((o) => o.run !== e.run)].slice(0, 20));
      timers.add(
        setTimeout(
          () => setEnded((old) => old.filter((o) => o !== e)),
          e.outcome === 'rejected' ? linger.rejected : linger.completed,
        ),
      );
    });
    return () => {
      end();
      for (const t of timers) clearTimeout(t);
    };
  }, []);
  return ended;
}
