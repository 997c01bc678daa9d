import { type ReactNode, useState } from 'react';
import { Link } from 'wouter';
import type { Twin } from '@/api/types';
import { online } from '@/live/twins';
import { Badge, PhaseBadge, PresenceDot } from '@/parts/Badge';
import { Card } from '@/parts/Card';
import { CopyButton } from '@/parts/Copy';
import { cx } from '@/parts/cx';
import { count } from '@/parts/format';
import { fleetHref, twinHref, typeHref } from '@/parts/links';
import { TextLink } from '@/parts/TextLink';
import { Time } from '@/parts/Time';
import { kindWord } from '@/parts/words';
import { useRuns } from '../useRuns';
import s from './Head.module.css';

const few = 5; // facts that a phone shows at first, as the style sheet says

/** Kind, phase and presence, beside the name. */
export function Badges({ twin }: { twin: Twin }) {
  if (twin.kind !== 'instance') return <Badge>{kindWord(twin.kind)}</Badge>;
  return (
    <>
      <PhaseBadge phase={twin.definition.phase} />
      <PresenceDot online={online(twin)} seen={!!twin.live.presence.lastSeen} />
    </>
  );
}

/** Who a twin is, in one strip. What is not known is left out. */
export function Head({ twin }: { twin: Twin }) {
  const [all, setAll] = useState(false);
  const d = twin.definition;
  const p = twin.live.presence;
  const instance = twin.kind === 'instance';
  const run = useRuns(instance ? twin.id : '').data?.items.at(0);
  const device = run?.results.deviceRef;
  const place = [d.location?.site, d.location?.region].filter(Boolean).join(', ');
  const facts: [string, ReactNode][] = [
    ['Id', <Id key="id" id={twin.id} />],
    ['Type', d.type && <TextLink href={typeHref(d.type)}>{d.type}</TextLink>],
    ['Last contact', instance && <Time at={p.lastSeen} />],
    [p.connected ? 'Connected since' : 'Disconnected', instance && p.since && <Time at={p.since} />],
    ['Owner', d.owner && <bdi>{d.owner}</bdi>],
    ['Location', place && <bdi>{place}</bdi>],
    ['Gateway', p.gateway && <bdi>{p.gateway}</bdi>],
    [
      'Aggregates',
      d.aggregates?.length
        ? d.aggregates.map((id) => (
            <TextLink key={id} href={twinHref(id)}>
              {id}
            </TextLink>
          ))
        : null,
    ],
    ['Device reference', device && <Id id={device} what="device reference" />],
    ['Messages', instance && <span className={s.figure}>{count(twin.live.messages)}</span>],
    ['Created', <Time key="created" at={twin.created} exact />],
    ['Tags', d.tags?.length ? d.tags.map((t) => <TagLink key={t} tag={t} />) : null],
  ];
  const there = facts.filter(([, v]) => v);
  return (
    <Card flush label="About this twin">
      <dl className={cx(s.strip, all && s.all)}>
        {there.map(([name, v]) => (
          <div
            key={name}
            className={name === 'Tags' || name === 'Id' || name === 'Device reference' ? s.wide : undefined}
          >
            <dt>{name}</dt>
            <dd>{v}</dd>
          </div>
        ))}
      </dl>
      {there.length > few && !all && (
        <button type="button" className={s.rest} onClick={() => setAll(true)}>
          More about it
        </button>
      )}
    </Card>
  );
}

function Id({ id, what = 'id' }: { id: string; what?: string }) {
  return (
    <span className={s.id}>
      <code title={id}>{id}</code>
      <CopyButton text={id} label={`Copy the ${what}`} />
    </span>
  );
}

function TagLink({ tag }: { tag: string }) {
  return (
    <Link href={fleetHref({ tag })} title={`Twins tagged ${tag}`}>
      <Badge>
        <bdi className={s.tag}>{tag}</bdi>
      </Badge>
    </Link>
  );
}
