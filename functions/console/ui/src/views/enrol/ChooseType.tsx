import { ChevronRight, Plus } from 'lucide-react';
import { useState } from 'react';
import { Link, useLocation } from 'wouter';
import type { Twin } from '@/api/types';
import { Button, ButtonLink } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { TextField } from '@/parts/Field';
import { count, plural, unitSign } from '@/parts/format';
import { Listed, More } from '@/parts/Listed';
import { typeHref } from '@/parts/links';
import { comesByAnother } from '@/parts/run/words';
import { Empty } from '@/parts/States';
import { has, useUser } from '@/parts/useUser';
import { addressOf } from './address';
import s from './ChooseType.module.css';
import { useDevicesByType, useTypes } from './useTypes';

/** What kind of device it is. */
export function ChooseType() {
  const [, navigate] = useLocation();
  const [typed, setTyped] = useState('');
  const types = useTypes(typed);
  const devices = useDevicesByType();
  const mayMake = has(useUser(), 'maintainer', 'configurator');
  const found = types.data?.pages.flatMap((p) => p.items) ?? [];
  const none = types.isSuccess && found.length === 0;
  const more = types.hasNextPage && !types.isFetchingNextPage;
  return (
    <Card
      title="What kind of device is it?"
      flush
      actions={
        mayMake && (
          <ButtonLink size="s" icon={<Plus aria-hidden />} href={addressOf({ step: 'new-type' })}>
            New type
          </ButtonLink>
        )
      }
    >
      {(typed || !none) && (
        <div className={s.search}>
          <TextField
            bare
            label="Search types"
            type="search"
            placeholder="Search types…"
            maxLength={64}
            value={typed}
            onChange={(e) => setTyped(e.target.value)}
            onKeyDown={(e) => {
              const first = found[0];
              if (e.key === 'Enter' && first) navigate(hrefOf(first));
            }}
          />
        </div>
      )}
      <Listed
        query={types}
        count={found.length}
        lines={3}
        height={40}
        what="The types could not be read"
        empty={
          typed ? (
            <Empty title="No type matches" action={<Button onClick={() => setTyped('')}>Clear the search</Button>} />
          ) : (
            <NoTypes mayMake={mayMake} />
          )
        }
      >
        <ul className={s.types}>
          {found.map((t) => (
            <li key={t.id}>
              <TypeRow type={t} devices={devices.get(t.id) ?? 0} />
            </li>
          ))}
        </ul>
      </Listed>
      {more && <More onClick={() => void types.fetchNextPage()}>Show more types</More>}
    </Card>
  );
}

/** Where a device of a type is brought in: those that another one speaks for cannot ask, and their type's page says how they come. */
const hrefOf = (t: Twin) =>
  comesByAnother(t.definition.model) ? `${typeHref(t.id)}?tab=provisioning` : addressOf({ step: 'device', type: t.id });

function NoTypes({ mayMake }: { mayMake: boolean }) {
  if (!mayMake)
    return (
      <Empty title="There is no type that you may see">
        A type says what its devices report. Ask a configurator to make one, or to let your group read one.
      </Empty>
    );
  return (
    <Empty
      title="There is no type yet"
      action={
        <ButtonLink kind="primary" href={addressOf({ step: 'new-type' })}>
          New type
        </ButtonLink>
      }
    >
      A type says what its devices report, and how they come onto the platform. It takes a name and a few properties.
    </Empty>
  );
}

function TypeRow({ type, devices }: { type: Twin; devices: number }) {
  const d = type.definition;
  const properties = d.model?.properties ?? [];
  return (
    <Link href={hrefOf(type)} className={s.type}>
      <span className={s.names}>
        <bdi className={s.name}>{d.name || type.id}</bdi>
        {d.name && <bdi className={s.id}>{type.id}</bdi>}
      </span>
      <span className={s.properties}>
        {properties.slice(0, 5).map((p) => (
          <span key={p.name} className={s.property}>
            <bdi>{p.name}</bdi>
            {unitSign(p.unit) && <bdi className={s.unit}>{unitSign(p.unit)}</bdi>}
          </span>
        ))}
        {properties.length > 5 && <span className={s.rest}>and {count(properties.length - 5)} more</span>}
        {properties.length === 0 && <span className={s.rest}>no properties declared</span>}
      </span>
      <span className={s.count}>{plural(devices, 'device')}</span>
      <ChevronRight aria-hidden />
    </Link>
  );
}
