import { useParams } from 'wouter';
import type { Run } from '@/api/types';
import { ButtonLink } from '@/parts/Button';
import { Card, Facts } from '@/parts/Card';
import { took } from '@/parts/format';
import { decideHref, installHref, twinHref, typeHref } from '@/parts/links';
import { Page } from '@/parts/Page';
import { twinIsGone } from '@/parts/run/progress';
import { ResetRun } from '@/parts/run/ResetRun';
import { RunBody } from '@/parts/run/RunBody';
import { useRun } from '@/parts/run/useRun';
import { askedOf, chosenBecause, endedAt, nextOf, present, stateOf, titleOf } from '@/parts/run/words';
import { Failure, Skeleton } from '@/parts/States';
import { TextLink } from '@/parts/TextLink';
import { Time } from '@/parts/Time';
import { has, useUser } from '@/parts/useUser';
import { actor } from '@/parts/words';
import { addressOf } from '@/views/enrol/address';
import s from './RunPage.module.css';
import { StandingBadge } from './StandingBadge';
import { Stays } from './Stays';

/** One device on its way in: what it is at, why, what comes next, and all that was done. */
export default function RunPage() {
  const { id = '' } = useParams<{ id: string }>();
  const query = useRun(id);
  const run = query.data;
  const up = { href: '/provisioning', label: 'Provisioning' };
  if (!run)
    return (
      <Page title="Run" up={up}>
        {query.isPending ? <Skeleton lines={8} /> : <Failure error={query.error} retry={() => void query.refetch()} />}
      </Page>
    );
  return (
    <Page
      title={run.request.serial || `A device of ${run.type}`}
      up={up}
      badges={<StandingBadge run={run} />}
      actions={
        <>
          <Go run={run} />
          <ResetRun run={run} />
        </>
      }
    >
      <div className={s.two}>
        <Now run={run} />
        <Card title="About">
          <Facts items={facts(run)} />
        </Card>
        <Card title="Time in each state">
          <Stays run={run} />
        </Card>
      </div>
      <RunBody run={run} />
    </Page>
  );
}

/** To where people decide about it. */
function Go({ run }: { run: Run }) {
  const may = has(useUser(), 'maintainer', 'configurator', 'owner');
  if (!run.asks || !may) return null;
  const instructs = stateOf(run.model, run.asks.state)?.do === 'instruct';
  return (
    <ButtonLink kind="primary" href={instructs ? installHref(run.id) : decideHref(run.id)}>
      {instructs ? 'Go on with it' : 'Decide'}
    </ButtonLink>
  );
}

function Now({ run }: { run: Run }) {
  const next = nextOf(run);
  const came = twinIsGone(run) ? run.cameIn : undefined;
  const at = run.outcome === 'rejected' && !came ? endedAt(run) : '';
  return (
    <Card title={run.outcome ? 'How it ended' : 'Now'} note={run.outcome ? undefined : titleOf(run.model, run.state)}>
      <div className={s.now}>
        <p className={s.present} dir="auto">
          {present(run)}
        </p>
        {run.asks && (
          <p className={s.aside}>
            <bdi>{askedOf(run)}</bdi> decides · asked <Time at={run.asks.since} />
          </p>
        )}
        {run.deadline && !run.outcome && (
          <p className={s.aside}>
            Until <Time at={run.deadline} exact /> (<Time at={run.deadline} />)
          </p>
        )}
        {run.decision && <Decision run={run} />}
        {came && (
          <p className={s.aside}>
            It came in <Time at={came} />, after {took(Date.parse(came) - Date.parse(run.created))}; its twin went{' '}
            <Time at={run.updated} />.
          </p>
        )}
        {run.outcome && !came && (
          <p className={s.aside}>
            {at && (
              <>
                It was at “<bdi>{at}</bdi>” before.{' '}
              </>
            )}
            Ended <Time at={run.updated} />, after {took(Date.parse(run.updated) - Date.parse(run.created))}.
          </p>
        )}
        {next.length > 0 && (
          <ul className={s.next} aria-label="What comes next">
            {next.map((n) => (
              <li key={`${n.when} ${n.to}`}>
                <span>once {n.when}</span>
                <b data-end={n.ends} dir="auto">
                  {n.to}
                </b>
              </li>
            ))}
          </ul>
        )}
      </div>
    </Card>
  );
}

/** What people decided; its reason, where that is not what the card begins with. */
function Decision({ run }: { run: Run }) {
  const d = run.decision;
  if (!d) return null;
  const reason = d.reason && !present(run).includes(d.reason) ? d.reason : '';
  return (
    <p className={s.aside}>
      <bdi>{actor(d.by)}</bdi> {d.trigger} it <Time at={d.at} />
      {reason && (
        <>
          : <bdi>{reason}</bdi>
        </>
      )}
    </p>
  );
}

function facts(r: Run): [string, React.ReactNode][] {
  const why = chosenBecause(r);
  const place = [r.location?.site, r.location?.region].filter(Boolean).join(', ');
  const rows: [string, React.ReactNode][] = [
    [
      'Type',
      <TextLink key="t" href={typeHref(r.type)}>
        {r.type}
      </TextLink>,
    ],
    [
      'Model',
      <span key="m">
        {r.model.id}, version {r.model.version}
      </span>,
    ],
  ];
  if (why) rows.push(['Why that', <bdi key="w">{why}</bdi>]);
  if (r.twin)
    rows.push([
      'Twin',
      <TextLink key="w" href={twinHref(r.twin)}>
        {r.twin}
      </TextLink>,
    ]);
  rows.push(['For group', <bdi key="o">{r.owner ?? '–'}</bdi>]);
  rows.push([
    'Began',
    <span key="b">
      <Time at={r.created} /> by <bdi>{actor(r.by) || 'device'}</bdi>
    </span>,
  ]);
  if (r.request.claim)
    rows.push([
      'Claim',
      <TextLink key="c" href={addressOf({ step: 'watch', claim: r.request.claim })}>
        {r.request.claim}
      </TextLink>,
    ]);
  if (place) rows.push(['Location', <bdi key="l">{place}</bdi>]);
  if (r.results.gateway)
    rows.push([
      'Gateway',
      <span key="g">
        <b>{r.results.gateway}</b> {r.results.gatewayReason}
      </span>,
    ]);
  return rows;
}
