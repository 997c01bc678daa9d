import { ArrowRight, CircleCheck, CircleX, Loader } from 'lucide-react';
import { useEffect } from 'react';
import { useParams } from 'wouter';
import type { Run } from '@/api/types';
import { ButtonLink } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { provisioningHref, runHref, twinHref } from '@/parts/links';
import { Page } from '@/parts/Page';
import { path } from '@/parts/path';
import { useRun } from '@/parts/run/useRun';
import { present, stateOf, titleOf } from '@/parts/run/words';
import { Failure, Skeleton } from '@/parts/States';
import { Ask } from './Ask';
import s from './Manual.module.css';
import { dropPair } from './pairs';
import { Secret } from './Secret';

/** Leads an installer through a run, one step at a time; made for a phone held beside the device. */
export default function Install() {
  const { id = '' } = useParams<{ id: string }>();
  const query = useRun(id);
  const run = query.data;
  const outcome = run?.outcome;
  useEffect(() => {
    if (outcome) dropPair(id);
  }, [outcome, id]);
  if (!run)
    return (
      <Page title="By hand" up={{ href: '/provisioning?tab=manual', label: 'Provisioning' }}>
        {query.isPending ? <Skeleton lines={6} /> : <Failure error={query.error} retry={() => void query.refetch()} />}
      </Page>
    );
  return (
    <Page
      title={run.request.serial || `A new ${run.type}`}
      up={{ href: runHref(id), label: 'Run' }}
      note={run.outcome ? undefined : <Place run={run} />}
    >
      <div className={s.steps}>
        <Now run={run} />
      </div>
    </Page>
  );
}

/** Which of the installer's own steps this is. */
function Place({ run }: { run: Run }) {
  const all = path(run.model).filter((x) => x.do === 'instruct' || x.do === 'ask');
  const at = all.findIndex((x) => x.name === run.state);
  return <>{at >= 0 ? `Step ${at + 1} of ${all.length}` : titleOf(run.model, run.state)}</>;
}

function Now({ run }: { run: Run }) {
  if (run.outcome === 'completed')
    return (
      <Card className={s.step}>
        <p className={s.mark} data-tone="ok">
          <CircleCheck aria-hidden />
        </p>
        <h2 className={s.text}>
          <bdi>{run.request.serial}</bdi> is in
        </h2>
        {run.twin && (
          <ButtonLink kind="primary" href={twinHref(run.twin)} icon={<ArrowRight aria-hidden />}>
            To the twin
          </ButtonLink>
        )}
        <ButtonLink href={again(run)}>The next device</ButtonLink>
      </Card>
    );
  if (run.outcome === 'rejected' || run.withdrawing)
    return (
      <Card className={s.step}>
        <p className={s.mark} data-tone="bad">
          <CircleX aria-hidden />
        </p>
        <h2 className={s.text}>It did not come in</h2>
        <p dir="auto">{present(run)}</p>
        <ButtonLink kind="primary" href={again(run)}>
          Begin again
        </ButtonLink>
      </Card>
    );
  if (run.asks && stateOf(run.model, run.asks.state)?.do === 'ask')
    return (
      <Card className={s.step}>
        <h2 className={s.text} dir="auto">
          {run.asks.text}
        </h2>
        <ButtonLink kind="primary" href={provisioningHref('approvals', { run: run.id })}>
          Decide
        </ButtonLink>
      </Card>
    );
  const secret = run.results.delivered && <Secret run={run} />;
  if (run.asks)
    return (
      <Ask key={run.asks.state} run={run}>
        {secret}
      </Ask>
    );
  return (
    <Card className={s.step}>
      <p className={s.mark} data-tone="wait">
        <Loader aria-hidden />
      </p>
      <div role="status">
        <h2 className={s.text} dir="auto">
          {titleOf(run.model, run.state)}
        </h2>
        <p className={s.aside} dir="auto">
          {present(run)}
        </p>
      </div>
      {secret}
    </Card>
  );
}

/** Another of the same type, for the same group, at the same place. */
function again(run: Run): string {
  const at = run.location ?? {};
  return provisioningHref('manual', {
    type: run.type,
    ...(run.owner && { owner: run.owner }),
    ...(at.site && { site: at.site }),
    ...(at.region && { region: at.region }),
  });
}
