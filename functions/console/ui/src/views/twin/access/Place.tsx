import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { credentialsOf } from '@/api/reads';
import type { Assignment, Twin } from '@/api/types';
import { Badge } from '@/parts/Badge';
import { Button } from '@/parts/Button';
import { Card, Facts } from '@/parts/Card';
import { Listed } from '@/parts/Listed';
import { twinHref } from '@/parts/links';
import { TextLink } from '@/parts/TextLink';
import { Time } from '@/parts/Time';
import { has, useUser } from '@/parts/useUser';
import { gatewayHref, placeState, placesOf } from '@/views/gateways/gateways';
import { Move } from '@/views/gateways/Move';
import s from './Access.module.css';

/** The gateway at which a device has its place, and why it is that one. */
export function Place({ twin }: { twin: Twin }) {
  const query = useQuery(placesOf(twin.id));
  const may = has(useUser(), 'maintainer', 'configurator');
  const [moving, setMoving] = useState<Assignment>();
  const places = query.data?.items ?? [];
  return (
    <Card
      title="Gateway"
      note="where the device has its place"
      flush
      actions={
        may && places.length === 1 ? (
          <Button size="s" onClick={() => setMoving(places[0])}>
            Move…
          </Button>
        ) : undefined
      }
    >
      <Listed
        query={query}
        count={places.length}
        lines={3}
        what="The place could not be read"
        empty={<Nowhere twin={twin} />}
      >
        {places.map((a) => (
          <div key={a.ref} className={s.place}>
            <Facts
              items={[
                [
                  'Gateway',
                  <span key="g" className={s.kind}>
                    {may ? <TextLink href={gatewayHref(a.gateway)}>{a.gateway}</TextLink> : <bdi>{a.gateway}</bdi>}
                    <Badge tone={placeState(a).tone}>{placeState(a).word}</Badge>
                  </span>,
                ],
                ['Why there', <bdi key="w">{a.lost ? `${a.reason}; ${a.lost}` : a.reason}</bdi>],
                ['Address', <code key="u">{a.url}</code>],
                ['Reference', <code key="r">{a.ref}</code>],
                ['Since', <Time key="t" at={a.updated} />],
              ]}
            />
          </div>
        ))}
      </Listed>
      {moving && <Move place={moving} onClose={() => setMoving(undefined)} />}
    </Card>
  );
}

/** Why a device has no place: another speaks for it and has one, or it has not come in. */
function Nowhere({ twin }: { twin: Twin }) {
  const { data } = useQuery(credentialsOf(twin.id));
  const by = data?.items.find((c) => c.state !== 'ended' && c.viaTwin);
  return (
    <p className={s.pad}>
      {by?.viaTwin ? (
        <>
          <TextLink href={`${twinHref(by.viaTwin)}?tab=access`}>{by.viaTwin}</TextLink> speaks for this device and calls
          it <bdi>{by.name}</bdi>: it is reached where that one has its place.{' '}
          <TextLink href={`${twinHref(twin.id)}?tab=parked`}>What it sent before it was brought in</TextLink>
        </>
      ) : (
        'The device has no place: it has not come in, or its access was taken away.'
      )}
    </p>
  );
}
