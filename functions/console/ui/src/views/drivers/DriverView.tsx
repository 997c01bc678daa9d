import { useQuery } from '@tanstack/react-query';
import { Binary } from 'lucide-react';
import { useParams } from 'wouter';
import { ApiError } from '@/api/client';
import type { Driver, DriverVersion } from '@/api/types';
import { Badge } from '@/parts/Badge';
import { Banner } from '@/parts/Banner';
import { Button, ButtonLink } from '@/parts/Button';
import { Card, Facts } from '@/parts/Card';
import { driverHref } from '@/parts/links';
import { Page } from '@/parts/Page';
import { Empty, Failure, Skeleton } from '@/parts/States';
import { Tabs } from '@/parts/Tabs';
import { TextLink } from '@/parts/TextLink';
import { useParam } from '@/parts/useParam';
import { driverKindWord } from '@/parts/words';
import { VersionBench } from './bench/VersionBench';
import s from './DriverView.module.css';
import { oneDriver, standingOf, trialIsOver, usedOf } from './drivers';
import { Parked } from './parked/Parked';
import { StateBadge } from './StateBadge';
import { UsedBy } from './UsedBy';
import { useUses } from './useUses';
import { Versions } from './Versions';

const up = { href: '/drivers', label: 'Drivers' };

/** A payload driver: its versions and who uses them, the test bench, and what is parked for it. */
export default function DriverView() {
  const { name = '' } = useParams();
  const query = useQuery(oneDriver(name));
  if (query.data) return <Seen key={query.data.name} driver={query.data} />;
  const gone = query.error instanceof ApiError && (query.error.status === 404 || query.error.status === 400);
  return (
    <Page title={name} up={up}>
      {query.isPending ? (
        <Skeleton lines={6} />
      ) : gone ? (
        <Empty
          icon={<Binary aria-hidden />}
          title="No such driver, or not yours"
          action={<ButtonLink href="/drivers">To the drivers</ButtonLink>}
        >
          It may have been deleted, or belong to another group.
        </Empty>
      ) : (
        <Failure error={query.error} what="The driver could not be read" retry={() => void query.refetch()} />
      )}
    </Page>
  );
}

function Seen({ driver: d }: { driver: Driver }) {
  const [tab, setTab] = useParam('tab', 'versions');
  const used = usedOf(d);
  const tabs = [
    { id: 'versions', label: 'Versions', content: <About driver={d} /> },
    { id: 'bench', label: 'Test bench', content: <VersionBench driver={d} /> },
    {
      id: 'parked',
      label: 'Parked messages',
      content: <Parked of={{ driver: d.name }} redrive={{ driver: d.name }} driver={d.name} />,
    },
  ];
  return (
    <Page
      title={d.name}
      up={up}
      note={d.title}
      badges={
        used && (
          <>
            <Badge>{driverKindWord(used.kind)}</Badge>
            <StateBadge version={used} />
          </>
        )
      }
    >
      {standingOf(d).map((v) => (
        <Quarantine key={v.version} version={v} onParked={() => setTab('parked')} />
      ))}
      {d.versions.filter(trialIsOver).map((v) => (
        <TrialOver key={v.version} version={v} />
      ))}
      <Tabs
        label="About this driver"
        tabs={tabs}
        value={tabs.some((t) => t.id === tab) ? tab : 'versions'}
        onChange={setTab}
      />
    </Page>
  );
}

/** What stands still, why, and what can be done. */
function Quarantine({ version: v, onParked }: { version: DriverVersion; onParked: () => void }) {
  return (
    <Banner
      label={`Quarantine of ${v.version}`}
      tone="critical"
      action={
        <Button size="s" onClick={onParked}>
          Parked messages
        </Button>
      }
    >
      <b>{v.version} is in quarantine.</b> What it would read is parked, and lost to nobody:{' '}
      <TextLink href={driverHref(v.name, 'bench', { version: v.version })}>publish a fixed version</TextLink>, promote
      it, and redrive.
      {v.reason && (
        <span className={s.why} dir="auto">
          {v.reason}
        </span>
      )}
    </Banner>
  );
}

/** A canary that was stopped: nothing waits, but whoever tried it wants to know. */
function TrialOver({ version: v }: { version: DriverVersion }) {
  return (
    <Banner label={`Quarantine of ${v.version}`}>
      <b>The trial of {v.version} is over: it is in quarantine.</b> Its devices are read as the others are.{' '}
      <TextLink href={driverHref(v.name, 'bench', { version: v.version })}>Publish a mended version</TextLink>, and try
      that; what it could not read until then is parked.
      {v.reason && (
        <span className={s.why} dir="auto">
          {v.reason}
        </span>
      )}
    </Banner>
  );
}

function About({ driver: d }: { driver: Driver }) {
  const uses = useUses(d.name);
  const newest = d.versions[0];
  const list = (of: string[] | undefined) =>
    of?.length ? (
      <span className={s.topics}>
        {of.map((t) => (
          <code key={t}>{t}</code>
        ))}
      </span>
    ) : null;
  const facts: [string, React.ReactNode][] = [
    ['Used by', <UsedBy key="u" types={uses} />],
    ['Owner', d.owner ? <bdi key="o">{d.owner}</bdi> : 'the platform: everybody may use it'],
    ['Maker', newest?.maker && <bdi key="m">{newest.maker}</bdi>],
    ['Licence', newest?.license && <bdi key="l">{newest.license}</bdi>],
    ['Devices speak on', list(newest?.topics)],
    ['Devices listen on', list(newest?.downlinks)],
    [
      'Key',
      d.key && (
        <span key="k">
          <code className={s.key}>{d.key}</code> Versions must be signed with it: <code>castor driver publish</code>.
        </span>
      ),
    ],
  ];
  return (
    <div className={s.page}>
      <Card title="Versions" note="the newest that is for a device’s firmware counts" flush>
        <Versions driver={d} />
      </Card>
      <Card title="About it">
        <Facts items={facts.filter(([, v]) => v)} />
      </Card>
    </div>
  );
}
