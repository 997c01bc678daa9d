import { PlugZap } from 'lucide-react';
import type { Run, Twin } from '@/api/types';
import { Badge, type Tone } from '@/parts/Badge';
import { Select } from '@/parts/Field';
import { dayTime } from '@/parts/format';
import { ResetRun } from '@/parts/run/ResetRun';
import { RunBody, roundOf } from '@/parts/run/RunBody';
import { Took } from '@/parts/run/Steps';
import { useRun } from '@/parts/run/useRun';
import { Empty, Failure, Skeleton } from '@/parts/States';
import { useParam } from '@/parts/useParam';
import { useRuns } from '../useRuns';
import s from './Provisioning.module.css';

/** How a device came in: each run step by step, drawn on its model's state machine; one under way is followed live. */
export default function Provisioning({ twin }: { twin: Twin }) {
  const runs = useRuns(twin.id);
  const [chosen, choose] = useParam('run');
  const items = runs.data?.items ?? [];
  const id = items.some((r) => r.id === chosen) ? chosen : (items[0]?.id ?? '');
  if (runs.isPending) return <Skeleton lines={6} />;
  if (runs.isError && !runs.data) return <Failure error={runs.error} retry={() => void runs.refetch()} />;
  if (!id) {
    return (
      <Empty icon={<PlugZap aria-hidden />} title="Never provisioned">
        This twin was made by hand. When a device comes in for it by a claim, its way in is shown here step by step.
      </Empty>
    );
  }
  return (
    <div className={s.page}>
      {items.length > 1 && (
        <div className={s.choose}>
          <Select
            label="Run"
            value={id}
            onChange={(e) => choose(e.target.value === items[0]?.id ? '' : e.target.value)}
          >
            {items.map((r) => (
              <option key={r.id} value={r.id}>
                {dayTime(Date.parse(r.created))} · {r.outcome ?? `at ${r.state}`} · serial{' '}
                {r.request.serial.slice(0, 40)}
              </option>
            ))}
          </Select>
        </div>
      )}
      <OneRun id={id} />
    </div>
  );
}

function OneRun({ id }: { id: string }) {
  const query = useRun(id);
  const run = query.data;
  if (query.isPending) return <Skeleton lines={8} />;
  if (!run) return <Failure error={query.error} retry={() => void query.refetch()} />;
  const { round, since } = roundOf(run);
  return (
    <>
      <RunFacts run={run} since={since} end={run.outcome ? round.at(-1)?.at : undefined} />
      <RunBody run={run} />
    </>
  );
}

const tones: Record<string, Tone> = { completed: 'ok', rejected: 'critical' };

function RunFacts({ run, since, end }: { run: Run; since: string; end?: string }) {
  return (
    <div className={s.facts}>
      <Badge tone={run.outcome ? tones[run.outcome] : 'accent'} dot>
        {run.outcome ?? (run.withdrawing ? 'withdrawing' : run.waiting ? 'waiting' : 'under way')}
      </Badge>
      <span>
        {end ? 'took ' : 'began '}
        <b>
          <Took from={since} to={end} />
        </b>
      </span>
      <span>
        serial <b dir="auto">{run.request.serial}</b>
      </span>
      <span>
        claim <code>{run.request.claim}</code>
      </span>
      {run.results.gateway && (
        <span title={run.results.gatewayReason}>
          gateway <b>{run.results.gateway}</b>
        </span>
      )}
      {run.reason && (
        <span className={s.reason} dir="auto">
          {run.reason}
        </span>
      )}
      <ResetRun run={run} />
    </div>
  );
}
