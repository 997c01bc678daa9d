import { useInfiniteQuery } from '@tanstack/react-query';
import { Inbox } from 'lucide-react';
import type { Parked as Of } from '@/api/drivers';
import type { NewRedrive, ParkedMessage } from '@/api/types';
import { Badge } from '@/parts/Badge';
import { Card } from '@/parts/Card';
import { count } from '@/parts/format';
import { Listed, More } from '@/parts/Listed';
import { driverHref, twinHref } from '@/parts/links';
import { Empty } from '@/parts/States';
import { TextLink } from '@/parts/TextLink';
import { Time } from '@/parts/Time';
import { useWhole } from '@/parts/useWhole';
import { shownOf } from '../bench/bytes';
import { parkedOf, thrown } from '../drivers';
import { BenchLink } from './BenchLink';
import s from './Parked.module.css';
import { Redrive } from './Redrive';

const shown = 48; // bytes of a message in the list

/** Messages that could not be read and are kept as they came: why, and how they are read again. */
export function Parked({
  of,
  redrive,
  driver,
  title = 'Parked messages',
  note,
}: {
  of: Of;
  redrive: NewRedrive;
  driver?: string;
  title?: string;
  /** What must be known of the list. */
  note?: string;
}) {
  const query = useInfiniteQuery(parkedOf(of));
  const one = 'twin' in of;
  const items = query.data?.pages.flatMap((p) => p.items) ?? [];
  useWhole(query, items.length === 0); // a page may be empty although there is a next one
  return (
    <Card
      title={title}
      note={[
        items.length > 0 &&
          `${count(items.length)}${query.hasNextPage ? '+' : ''}, ${one ? 'newest first' : 'by device, the newest first'}`,
        note,
      ]
        .filter(Boolean)
        .join('; ')}
      flush
    >
      {!query.isPending && <Redrive of={redrive} any={items.length > 0} />}
      <Listed
        query={{ ...query, isPending: query.isPending || (items.length === 0 && query.hasNextPage) }}
        count={items.length}
        what="The parked messages could not be read"
        empty={
          <Empty icon={<Inbox aria-hidden />} title="Nothing is parked">
            A message that cannot be read is kept here as it came, until it can be.
          </Empty>
        }
      >
        <ul>
          {items.map((m) => (
            <Row key={m.id} message={m} whose={!one} driver={driver} />
          ))}
        </ul>
      </Listed>
      {query.hasNextPage && (
        <More busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
          {one ? 'Show older' : 'Show more'}
        </More>
      )}
    </Card>
  );
}

function Row({ message: m, whose, driver }: { message: ParkedMessage; whose: boolean; driver?: string }) {
  const [name = '', version = ''] = (m.driver || driver || '').split('@');
  // Whose fault it was stands below, too.
  const said = `driver ${m.driver}: `;
  const reason = m.reason.startsWith(said) ? m.reason.slice(said.length) : m.reason;
  return (
    <li className={s.message}>
      <p className={s.reason} dir="auto" title={m.reason}>
        {thrown(reason)}
      </p>
      <p className={s.facts}>
        {whose && <TextLink href={`${twinHref(m.twin)}?tab=parked`}>{m.twin}</TextLink>}
        <Time at={m.received} />
        {m.was && <Badge>{m.was}</Badge>}
        {m.topic && <code title="topic">{m.topic}</code>}
        {!!m.port && <span>port {m.port}</span>}
        {m.driver && name && (
          <span>
            <TextLink href={driverHref(name)}>{name}</TextLink>
            {version && ` ${version}`}
          </span>
        )}
      </p>
      <code className={s.bytes}>{shownOf(m.raw ?? '', shown) || 'no bytes'}</code>
      {name && (
        <span className={s.open}>
          <BenchLink driver={name} version={version} message={m} />
        </span>
      )}
    </li>
  );
}
