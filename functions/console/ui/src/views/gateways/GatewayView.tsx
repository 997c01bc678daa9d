import { useQuery } from '@tanstack/react-query';
import { Ban, Play, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { useParams } from 'wouter';
import type { Gateway } from '@/api/types';
import { Badge } from '@/parts/Badge';
import { Button } from '@/parts/Button';
import { Card, Facts } from '@/parts/Card';
import { count, plural } from '@/parts/format';
import { Page } from '@/parts/Page';
import { Failure, Skeleton } from '@/parts/States';
import { toast } from '@/parts/toast';
import { Drain, Forget, useResume } from './Deeds';
import { Devices } from './Devices';
import s from './GatewayView.module.css';
import { allGateways, howMany, oneGateway, protocolName, staying } from './gateways';
import { Health } from './Health';
import { Load } from './Load';
import { Staying } from './Staying';

/** A gateway: what it is, how full, and the devices that have their place there. */
export default function GatewayView() {
  const { id = '' } = useParams();
  const query = useQuery(oneGateway(id));
  const g = query.data;
  const up = { href: '/gateways', label: 'Gateways' };
  if (!g)
    return (
      <Page title={id} up={up}>
        {query.isError ? (
          <Failure error={query.error} retry={() => void query.refetch()} what="The gateway could not be read" />
        ) : (
          <Skeleton lines={6} />
        )}
      </Page>
    );
  return (
    <Page
      title={g.id}
      up={up}
      badges={
        <>
          <Badge tone="info">{protocolName(g.protocol)}</Badge>
          <Badge>{g.phase}</Badge>
        </>
      }
      actions={<Actions gateway={g} />}
    >
      {g.draining && <Leaving gateway={g} />}
      <Card title="The gateway">
        <Facts
          items={[
            ['Health', <Health key="h" gateway={g} />],
            ['Address', <code key="u">{g.url}</code>],
            [
              'Region',
              <bdi key="r">{[g.location?.region || g.region, g.location?.site].filter(Boolean).join(', ') || '–'}</bdi>,
            ],
            ...(g.phase === 'operational'
              ? ([['Places', <Load key="l" gateway={g} />]] as [string, React.ReactNode][])
              : []),
            ['Connected', `${plural(g.sessions, 'device')} now`],
            ['Credentials', g.kinds?.join(', ') || 'all kinds'],
            ['Configured by', contracts[g.contract ?? ''] ?? g.contract],
            ...(g.keeper ? ([['Kept by', <bdi key="k">{g.keeper}</bdi>]] as [string, React.ReactNode][]) : []),
          ]}
        />
      </Card>
      {g.phase === 'operational' && <Devices gateway={g.id} />}
    </Page>
  );
}

const contracts: Record<string, string> = {
  '': 'Castor’s own door',
  door: 'Castor’s own door',
  mosquitto: 'mosquitto with dynamic security',
  http: 'the contract over HTTP: a gateway of somebody else’s',
};

function Actions({ gateway: g }: { gateway: Gateway }) {
  const [open, setOpen] = useState<'' | 'drain' | 'forget'>('');
  const resume = useResume(g.id);
  const close = () => setOpen('');
  return (
    <>
      {g.phase === 'operational' &&
        (g.draining ? (
          <Button
            icon={<Play aria-hidden />}
            busy={resume.isPending}
            onClick={() => resume.mutate(undefined, { onError: (e) => toast.failed('Not resumed', e) })}
          >
            Resume
          </Button>
        ) : (
          <Button icon={<Ban aria-hidden />} onClick={() => setOpen('drain')}>
            Drain…
          </Button>
        ))}
      <Button kind="danger" icon={<Trash2 aria-hidden />} onClick={() => setOpen('forget')}>
        Forget…
      </Button>
      {open === 'drain' && <Drain gateway={g} onClose={close} />}
      {open === 'forget' && <Forget gateway={g} onClose={close} />}
    </>
  );
}

/** How far a drain is. The most devices that were seen since the page was opened are the whole. */
function Leaving({ gateway: g }: { gateway: Gateway }) {
  const [most, setMost] = useState(g.devices);
  if (g.devices > most) setMost(g.devices);
  const gone = most - g.devices;
  const placed = useQuery(howMany(g)).data ?? g.devices; // the others are on their way
  const stay = staying(g, useQuery(allGateways).data ?? [], placed);
  const under = g.devices - placed;
  return (
    <Card className={s.leaving} label="Drain">
      <p role="status">
        {g.devices === 0 ? (
          <>
            <b>All devices have left.</b> The gateway may be stopped.
          </>
        ) : (
          <>
            <b>
              {plural(g.devices, 'device')} still to leave{under > 0 && `, ${count(under)} of them on the way`}.
            </b>{' '}
            Each gets a place elsewhere, and is let in at both until it has arrived.
          </>
        )}
        {g.reason && (
          <span className={s.why} dir="auto">
            {g.reason}
          </span>
        )}
      </p>
      {stay && <Staying {...stay} />}
      {most > 0 && (
        <progress className={s.progress} max={most} value={gone} aria-label="Devices that have left">
          {count(gone)} of {count(most)}
        </progress>
      )}
    </Card>
  );
}
