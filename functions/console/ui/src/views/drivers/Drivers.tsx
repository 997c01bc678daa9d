import { useQuery } from '@tanstack/react-query';
import { Binary, Plus } from 'lucide-react';
import type { Driver } from '@/api/types';
import { Badge } from '@/parts/Badge';
import { ButtonLink } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { TextField } from '@/parts/Field';
import { plural } from '@/parts/format';
import { Listed } from '@/parts/Listed';
import { driverHref } from '@/parts/links';
import { Page } from '@/parts/Page';
import { RowName } from '@/parts/RowName';
import { RowTable } from '@/parts/RowTable';
import { Empty } from '@/parts/States';
import { useParam } from '@/parts/useParam';
import { has, useUser } from '@/parts/useUser';
import { driverKindWord } from '@/parts/words';
import s from './Drivers.module.css';
import { allDrivers, usedOf } from './drivers';
import { StateBadge } from './StateBadge';
import { UsedBy } from './UsedBy';
import { useUses } from './useUses';

/** The payload drivers: what makes values of the bytes that devices send. */
export default function Drivers() {
  const query = useQuery(allDrivers);
  const [words, setWords] = useParam('q');
  const may = has(useUser(), 'maintainer', 'configurator', 'developer');
  const all = query.data ?? [];
  const low = words.trim().toLowerCase();
  const found = all.filter((d) => !low || `${d.name} ${d.title ?? ''} ${d.owner ?? ''}`.toLowerCase().includes(low));
  const make = may && (
    <ButtonLink href="/new-driver" kind="primary" icon={<Plus aria-hidden />}>
      New driver
    </ButtonLink>
  );
  return (
    <Page
      title="Drivers"
      note="What makes values of the bytes that devices send, and bytes of commands. A type names its driver."
      actions={make}
    >
      <Card
        flush
        label="Drivers"
        title={all.length > 0 ? plural(found.length, 'driver') : undefined}
        actions={
          all.length > 0 && (
            <TextField
              label="Find a driver"
              bare
              type="search"
              placeholder="Find"
              maxLength={64}
              value={words}
              onChange={(e) => setWords(e.target.value)}
            />
          )
        }
      >
        <Listed
          query={query}
          count={found.length}
          height={48}
          what="The drivers could not be read"
          empty={
            all.length > 0 ? (
              <Empty icon={<Binary aria-hidden />} title="No driver matches">
                Names, titles and owners are searched.
              </Empty>
            ) : (
              <Empty icon={<Binary aria-hidden />} title="No driver" action={make}>
                Devices that speak the platform’s JSON or CBOR need none.
              </Empty>
            )
          }
        >
          <RowTable className={s.table}>
            <thead>
              <tr>
                <th scope="col">Driver</th>
                <th scope="col">Kind</th>
                <th scope="col">Version</th>
                <th scope="col">State</th>
                <th scope="col">Used by</th>
              </tr>
            </thead>
            <tbody>
              {found.map((d) => (
                <Row key={d.name} driver={d} />
              ))}
            </tbody>
          </RowTable>
        </Listed>
      </Card>
    </Page>
  );
}

function Row({ driver: d }: { driver: Driver }) {
  const v = usedOf(d);
  const canary = d.versions.find((o) => o.state === 'canary' && o.version !== v?.version);
  const uses = useUses(d.name);
  return (
    <tr>
      <td className={s.which}>
        <span className={s.line}>
          <RowName href={driverHref(d.name)}>{d.name}</RowName>
          {!d.owner && <Badge>platform</Badge>}
        </span>
        {(d.title || v?.title) && (
          <span className={s.note} dir="auto">
            {d.title || v?.title}
          </span>
        )}
      </td>
      <td className={s.kind}>{v && driverKindWord(v.kind)}</td>
      <td className={s.version}>
        {v?.version}
        {d.versions.length > 1 && <span className={s.all}> of {d.versions.length} versions</span>}
      </td>
      <td className={s.state}>
        <span className={s.line}>
          {v && <StateBadge version={v} />}
          {canary && (
            <span className={s.none}>
              {canary.version} <StateBadge version={canary} />
            </span>
          )}
          {!!v?.failures && <Badge tone="warning">{plural(v.failures, 'failure')}</Badge>}
        </span>
      </td>
      <td className={s.uses}>
        <UsedBy types={uses} most={3} />
      </td>
    </tr>
  );
}
