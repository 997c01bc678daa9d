import { useQuery } from '@tanstack/react-query';
import { Binary, FlaskConical, Pencil } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { ApiError } from '@/api/client';
import { counts } from '@/api/reads';
import type { Twin } from '@/api/types';
import { Button, ButtonLink } from '@/parts/Button';
import { Card, Facts } from '@/parts/Card';
import { Listed } from '@/parts/Listed';
import { driverHref } from '@/parts/links';
import { useMayWrite } from '@/parts/may';
import { Empty } from '@/parts/States';
import { TextLink } from '@/parts/TextLink';
import { oneDriver } from '@/views/drivers/drivers';
import { Parked } from '@/views/drivers/parked/Parked';
import { Versions } from '@/views/drivers/Versions';
import s from '../about/About.module.css';
import { ChooseDriver } from './ChooseDriver';
import { formatWords } from './formats';
import { Unread } from './Unread';

/** How what devices of a type send is read: the driver with its versions, and what is parked for it. */
export default function TypeDriver({ twin: type }: { twin: Twin }) {
  const m = type.definition.model ?? {};
  const [choosing, setChoosing] = useState(false);
  const may = useMayWrite(type.id, type.definition.owner);
  const facts: [string, ReactNode][] = m.driver
    ? [
        [
          'Driver',
          <TextLink key="d" href={driverHref(m.driver)}>
            {m.driver}
          </TextLink>,
        ],
        ['Firmware property', <code key="f">{m.firmware || 'firmware'}</code>],
        ...(m.normalised ? [['Names of values', 'the common ones (normalizeUplink)'] as [string, ReactNode]] : []),
        ...(m.reacts ? [['Reacts', 'may send devices commands (on_event)'] as [string, ReactNode]] : []),
      ]
    : [
        ['Driver', 'none'],
        ['Format', formatWords(m.format)],
      ];
  return (
    <div className={s.page}>
      {m.driver && <Unread type={type} onChoose={may ? () => setChoosing(true) : undefined} />}
      <Card
        title="How payloads are read"
        actions={
          may && (
            <Button size="s" icon={<Pencil aria-hidden />} onClick={() => setChoosing(true)}>
              Change…
            </Button>
          )
        }
      >
        <Facts items={facts} />
      </Card>
      {m.driver && <VersionsOf driver={m.driver} />}
      {m.driver && <ParkedOf type={type.id} driver={m.driver} />}
      {choosing && <ChooseDriver type={type} onClose={() => setChoosing(false)} />}
    </div>
  );
}

/** What is parked for a type's devices. The platform finds messages by driver, so others of its types may be among them. */
function ParkedOf({ type, driver }: { type: string; driver: string }) {
  const { data: n } = useQuery(counts({ type, kind: 'instance' }));
  if (n?.instances === 0 && !n.more)
    return (
      <Card title="Parked messages">
        <p>
          There is no device of this type that you may see, so nothing of them is parked.{' '}
          <TextLink href={driverHref(driver, 'parked')}>What is parked of other types with this driver</TextLink>
        </p>
      </Card>
    );
  return (
    <Parked
      of={{ driver }}
      redrive={{ type }}
      driver={driver}
      title={`Parked messages of driver ${driver}`}
      note="also of other types that name it; Redrive reads those of this type"
    />
  );
}

function VersionsOf({ driver: name }: { driver: string }) {
  const query = useQuery(oneDriver(name));
  const gone = query.error instanceof ApiError && query.error.status === 404;
  return (
    <Card
      title="Versions"
      note="the newest that is for a device’s firmware counts"
      flush
      actions={
        query.data && (
          <ButtonLink size="s" href={driverHref(name, 'bench')} icon={<FlaskConical aria-hidden />}>
            Test bench
          </ButtonLink>
        )
      }
    >
      {gone ? (
        <Empty icon={<Binary aria-hidden />} title="There is no such driver, or not yours">
          What the devices send is parked until one of this name is published.
        </Empty>
      ) : (
        <Listed query={query} count={query.data?.versions.length ?? 0} empty={<Empty title="No version" />}>
          {query.data && <Versions driver={query.data} />}
        </Listed>
      )}
    </Card>
  );
}
