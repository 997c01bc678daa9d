import { useInfiniteQuery } from '@tanstack/react-query';
import { Cpu } from 'lucide-react';
import { useState } from 'react';
import type { Assignment } from '@/api/types';
import { Badge } from '@/parts/Badge';
import { Button } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { Listed, More } from '@/parts/Listed';
import { twinHref } from '@/parts/links';
import { RowName, RowNote } from '@/parts/RowName';
import { RowTable } from '@/parts/RowTable';
import { Empty } from '@/parts/States';
import { Time } from '@/parts/Time';
import s from './GatewayView.module.css';
import { placeState, placesAt } from './gateways';
import { Move } from './Move';

/** The devices that have their place at a gateway, and why each is there. */
export function Devices({ gateway }: { gateway: string }) {
  const query = useInfiniteQuery(placesAt(gateway));
  const [moving, setMoving] = useState<Assignment>();
  const places = query.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Card title="Devices" note="that have their place here, and why" flush>
      <Listed
        query={query}
        count={places.length}
        what="The devices could not be read"
        empty={
          <Empty icon={<Cpu aria-hidden />} title="No device">
            Devices get a place here when they are provisioned, or when another gateway is drained or dies.
          </Empty>
        }
      >
        <RowTable className={s.table}>
          <thead>
            <tr>
              <th scope="col">Device</th>
              <th scope="col">State</th>
              <th scope="col">Why here</th>
              <th scope="col">Since</th>
              <th scope="col">
                <span className="visually-hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {places.map((a) => (
              <tr key={a.ref}>
                <td>
                  <RowName href={`${twinHref(a.twin)}?tab=access`}>{a.twin}</RowName>
                  <RowNote title={a.ref}>
                    {a.ref}
                    {a.kind && ` · ${a.kind}`}
                  </RowNote>
                </td>
                <td>
                  <Badge tone={placeState(a).tone}>{placeState(a).word}</Badge>
                </td>
                <td className={s.reason} dir="auto">
                  {a.lost || a.reason}
                </td>
                <td className={s.since}>
                  <Time at={a.updated} />
                </td>
                <td className={s.deed}>
                  <Button size="s" onClick={() => setMoving(a)}>
                    Move…<span className="visually-hidden"> {a.twin}</span>
                  </Button>
                </td>
              </tr>
            ))}
          </tbody>
        </RowTable>
      </Listed>
      {query.hasNextPage && (
        <More busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
          Show more
        </More>
      )}
      {moving && <Move place={moving} onClose={() => setMoving(undefined)} />}
    </Card>
  );
}
