import { EllipsisVertical, FlaskConical, Rocket, Split, Trash2, Undo2 } from 'lucide-react';
import { useState } from 'react';
import { useLocation } from 'wouter';
import type { Driver, DriverVersion } from '@/api/types';
import { Badge } from '@/parts/Badge';
import { IconButton } from '@/parts/Button';
import { driverHref } from '@/parts/links';
import { Menu, MenuItem, MenuLine } from '@/parts/Menu';
import { RowTable } from '@/parts/RowTable';
import { Time } from '@/parts/Time';
import { actor } from '@/parts/words';
import { Canary, Promote, Remove, Withdraw } from './Deeds';
import { standingOf, usedOf } from './drivers';
import { Standing } from './Standing';
import { useMayPublish } from './useMayPublish';
import s from './Versions.module.css';

/** A driver's versions, newest first, with what may be done to each. */
export function Versions({ driver: d }: { driver: Driver }) {
  const may = useMayPublish(d.owner);
  const still = standingOf(d);
  return (
    <RowTable className={s.table}>
      <thead>
        <tr>
          <th scope="col">Version</th>
          <th scope="col">State</th>
          <th scope="col">Firmware</th>
          <th scope="col">Tests</th>
          <th scope="col">Failures</th>
          <th scope="col">Published</th>
          <th scope="col">
            <span className="visually-hidden">What may be done</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {d.versions.map((v) => (
          <Row key={v.version} driver={d} version={v} still={still.includes(v)} may={may} />
        ))}
      </tbody>
    </RowTable>
  );
}

function Row({
  driver: d,
  version: v,
  still,
  may,
}: {
  driver: Driver;
  version: DriverVersion;
  /** It is in quarantine and for some devices all the same. */
  still: boolean;
  may: boolean;
}) {
  return (
    <tr>
      <td className={s.which}>
        <b>{v.version}</b>
        {v.signed && (
          <Badge tone="info">
            signed<span className="visually-hidden"> by the maker’s key</span>
          </Badge>
        )}
        {v.note && (
          <span className={s.note} dir="auto">
            {v.note}
          </span>
        )}
      </td>
      <td className={s.state}>
        <Standing version={v} still={still} />
      </td>
      <td className={s.firmware}>
        <span className={s.phone}>firmware </span>
        {v.firmware ? <code>{v.firmware}</code> : <span className={s.none}>all</span>}
      </td>
      <td className={s.tests}>
        {v.tests ? (
          <>
            {v.tests}
            <span className={s.phone}>{v.tests === 1 ? ' test passed' : ' tests passed'}</span>
          </>
        ) : (
          <span className={s.none}>no test</span>
        )}
      </td>
      <td className={s.failures}>
        {v.failures ? (
          <span title={v.reason}>
            <b>{v.failures}</b>
            <span className={s.phone}>{v.failures === 1 ? ' failure' : ' failures'}</span>
            {v.state !== 'quarantined' && !v.blocked?.length && ' in 10 min'}
          </span>
        ) : (
          <span className={s.none}>none</span>
        )}
      </td>
      <td className={s.when}>
        <Time at={v.published} /> by <bdi>{actor(v.by)}</bdi>
      </td>
      <td className={s.deeds}>
        <Actions driver={d} version={v} may={may} />
      </td>
    </tr>
  );
}

function Actions({ driver: d, version: v, may }: { driver: Driver; version: DriverVersion; may: boolean }) {
  const [open, setOpen] = useState<'' | 'canary' | 'promote' | 'withdraw' | 'remove'>('');
  const [, go] = useLocation();
  const close = () => setOpen('');
  const inUse = v.state === 'active' || v.state === 'canary' || v.state === 'quarantined';
  const older = d.versions.slice(d.versions.indexOf(v) + 1);
  return (
    <>
      <Menu
        trigger={
          <IconButton label={`Actions on ${v.version}`}>
            <EllipsisVertical aria-hidden />
          </IconButton>
        }
      >
        <MenuItem
          icon={<FlaskConical aria-hidden />}
          onSelect={() => go(driverHref(d.name, 'bench', { version: v.version }))}
        >
          Open in the bench
        </MenuItem>
        {may && (
          <>
            {v.state !== 'active' && (
              <MenuItem icon={<Split aria-hidden />} onSelect={() => setOpen('canary')}>
                {v.state === 'canary' ? 'Change the canary…' : 'Try on some devices…'}
              </MenuItem>
            )}
            {(v.state !== 'active' || !!v.blocked?.length) && (
              <MenuItem icon={<Rocket aria-hidden />} onSelect={() => setOpen('promote')}>
                {v.state === 'active' ? 'Promote again, to unblock…' : 'Promote to all…'}
              </MenuItem>
            )}
            {inUse && (
              <MenuItem icon={<Undo2 aria-hidden />} onSelect={() => setOpen('withdraw')}>
                Withdraw…
              </MenuItem>
            )}
            {!inUse && (
              <>
                <MenuLine />
                <MenuItem icon={<Trash2 aria-hidden />} danger onSelect={() => setOpen('remove')}>
                  Delete…
                </MenuItem>
              </>
            )}
          </>
        )}
      </Menu>
      {open === 'canary' && <Canary version={v} onClose={close} />}
      {open === 'promote' && <Promote version={v} onClose={close} />}
      {open === 'withdraw' && (
        <Withdraw
          version={v}
          before={usedOf({ ...d, versions: older.filter((o) => o.state === 'active') })}
          onClose={close}
        />
      )}
      {open === 'remove' && <Remove version={v} last={d.versions.length === 1} onClose={close} />}
    </>
  );
}
