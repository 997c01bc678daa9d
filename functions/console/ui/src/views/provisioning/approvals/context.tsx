import type { ReactNode } from 'react';
import type { Run } from '@/api/types';
import { typeHref } from '@/parts/links';
import { chosenBecause } from '@/parts/run/words';
import { TextLink } from '@/parts/TextLink';
import { Time } from '@/parts/Time';

const listed = (...parts: (string | undefined)[]) => parts.filter(Boolean).join(' · ');

/** What the device says of itself, what was registered of it, the claim it asks with, and where it would come in. */
export function context(r: Run): [string, ReactNode][] {
  const { identity: i, claim: c } = r.known ?? {};
  const rows: [string, ReactNode][] = [
    ['Says of itself', <bdi key="d">{listed(r.request.serial, r.request.model, r.request.mac) || '–'}</bdi>],
    [
      'Registered as',
      i?.serial ? (
        <bdi key="i">{listed(i.serial, i.maker, i.model, i.type && `type ${i.type}`)}</bdi>
      ) : (
        'not registered'
      ),
    ],
    [
      'Type',
      <TextLink key="t" href={typeHref(r.type)}>
        {r.type}
      </TextLink>,
    ],
    ['Model', `${r.model.id}, version ${r.model.version}`],
  ];
  const why = chosenBecause(r);
  if (why) rows.push(['Why that', <bdi key="y">{why}</bdi>]);
  rows.push(['For group', <bdi key="o">{r.owner ?? '–'}</bdi>]);
  if (r.request.claim)
    rows.push([
      'Claim',
      <span key="c">
        <code>{r.request.claim}</code>
        {c?.owner && (
          <>
            {' '}
            of group <bdi>{c.owner}</bdi>
          </>
        )}
        {c?.batch && (
          <>
            {' '}
            · batch <bdi>{c.batch}</bdi>
          </>
        )}
        {c?.temporary && ' · temporary'}
      </span>,
    ]);
  const place = listed(r.location?.site, r.location?.region);
  if (place) rows.push(['Location', <bdi key="p">{place}</bdi>]);
  if (r.location?.latitude !== undefined) rows.push(['Coordinates', `${r.location.latitude}, ${r.location.longitude}`]);
  for (const [name, value] of Object.entries(r.request.facts ?? {}).slice(0, 12))
    rows.push([name.slice(0, 40), <bdi key={name}>{value}</bdi>]);
  rows.push(['Asked', <Time key="a" at={r.created} exact />]);
  if (r.request.gateway) rows.push(['At gateway', <bdi key="g">{r.request.gateway}</bdi>]);
  return rows;
}
