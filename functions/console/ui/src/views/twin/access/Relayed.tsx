import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { relayedBy } from '@/api/reads';
import type { Twin } from '@/api/types';
import { Button } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { plural } from '@/parts/format';
import { twinHref } from '@/parts/links';
import { TextLink } from '@/parts/TextLink';
import { Time } from '@/parts/Time';
import s from './Access.module.css';

/** How many are shown before somebody asks for all. */
const few = 10;

/** The devices that a device speaks for, like a bridge; nothing for one that speaks for itself alone. */
export function Relayed({ twin }: { twin: Twin }) {
  const { data } = useQuery({ ...relayedBy(twin.id), refetchInterval: 10_000 });
  const [all, setAll] = useState(false);
  const items = data?.items ?? [];
  if (items.length === 0) return null;
  return (
    <Card
      title="Speaks for"
      note={data?.next ? `more than ${plural(items.length, 'device')}` : plural(items.length, 'device')}
      actions={
        items.length > few && (
          <Button size="s" onClick={() => setAll(!all)}>
            {all ? 'Show few' : 'Show all'}
          </Button>
        )
      }
      flush
    >
      <ul>
        {items.slice(0, all ? items.length : few).map((c) => (
          <li key={c.twin} className={s.relayed}>
            <TextLink href={twinHref(c.twin)}>{c.twin}</TextLink>
            <span className={s.times}>
              <span>
                called <bdi>{c.name}</bdi>
              </span>
              <span>
                {c.confirmed ? (
                  <>
                    first heard <Time at={c.confirmed} />
                  </>
                ) : (
                  'not heard yet'
                )}
              </span>
            </span>
          </li>
        ))}
      </ul>
      {all && data?.next && <p className={s.pad}>All of them: castor device list --via {twin.id}</p>}
    </Card>
  );
}
