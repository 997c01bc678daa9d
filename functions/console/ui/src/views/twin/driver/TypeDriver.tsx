import { useQuery } from '@tanstack/react-query';
import { Binary, FlaskConical, Pencil } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { ApiError } from '@/api/client';
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
        ['Firmware version', <code key="f">{m.firmware || 'firmware'}</code>],
        ...(m.normalised ? [['Names of values', 'the common ones (normalizeUplink)'] as [string, ReactNode]] : []),
      ]
    : [
        ['Driver', 'none'],
        ['Format', formatWords(m.format)],
      ];
  return (
    <div className={s.page}>
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
      {m.driver && (
        <Parked
          of={{ driver: m.driver }}
          redrive={{ type: type.id }}
          driver={m.driver}
          note="of all types with this driver; redriven are those of this type"
        />
      )}
      {choosing && <ChooseDriver type={type} onClose={() => setChoosing(false)} />}
    </div>
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
