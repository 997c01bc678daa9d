import { useQueryClient } from '@tanstack/react-query';
import { X } from 'lucide-react';
import { type CSSProperties, useState } from 'react';
import { useLocation } from 'wouter';
import { drivers } from '@/api/drivers';
import { keys } from '@/api/queries';
import type { DriverCanary as CanaryOf, DriverVersion } from '@/api/types';
import { IconButton } from '@/parts/Button';
import { ConfirmDialog } from '@/parts/ConfirmDialog';
import { TextField } from '@/parts/Field';
import { plural } from '@/parts/format';
import { TwinPicker } from '@/parts/TwinPicker';
import { toast } from '@/parts/toast';
import s from './Deeds.module.css';

interface Deed {
  version: DriverVersion;
  onClose: () => void;
}

const mostTwins = 100; // that a canary names

/** Reads a driver, and what stands on it, anew. */
export function useStale() {
  const queries = useQueryClient();
  return (name: string) => {
    void queries.invalidateQueries({ queryKey: keys.driver(name) });
    void queries.invalidateQueries({ queryKey: keys.drivers(), exact: true });
  };
}

/** Has some devices use a version. */
export function Canary({ version: v, onClose }: Deed) {
  const stale = useStale();
  const [percent, setPercent] = useState(v.canary?.percent ?? 5);
  const [twins, setTwins] = useState<string[]>(v.canary?.twins ?? []);
  const [typed, setTyped] = useState('');
  const none = percent === 0 && twins.length === 0;
  const save = async () => {
    const wanted: CanaryOf = { percent, ...(twins.length && { twins }) };
    await drivers.canary(v.name, v.version, wanted);
    stale(v.name);
    toast.done(`${v.version} is a canary`);
  };
  return (
    <ConfirmDialog
      onClose={onClose}
      title={`Try ${v.version} on some devices?`}
      note="The share is always of the same devices, and grows by others when it is raised. Undo: withdraw the version; its devices then use the one they had before."
      verb={v.state === 'canary' ? 'Change' : 'Begin'}
      disabled={none || !!typed.trim()}
      work={save}
    >
      <Relapse version={v} />
      <div className={s.share}>
        <label htmlFor="canary-share">
          Share of the devices whose firmware fits: <b>{percent} %</b>
        </label>
        <input
          id="canary-share"
          type="range"
          min={0}
          max={100}
          value={percent}
          style={{ '--share': `${percent}%` } as CSSProperties}
          onChange={(e) => setPercent(Number(e.target.value))}
        />
      </div>
      <TwinPicker
        label="And these twins"
        hint={
          twins.length >= mostTwins
            ? 'There is room for 100.'
            : 'Whatever the share is. Those in a lab, for a beginning.'
        }
        placeholder="Find a device"
        kind="instance"
        unchosen="Choose a twin from the list, or empty the field."
        disabled={twins.length >= mostTwins}
        value=""
        onType={setTyped}
        onChange={(id) => id && !twins.includes(id) && setTwins([...twins, id])}
      />
      {twins.length > 0 && (
        <ul className={s.twins} aria-label="Named twins">
          {twins.map((t) => (
            <li key={t}>
              <bdi>{t}</bdi>
              <IconButton label={`Remove ${t}`} onClick={() => setTwins(twins.filter((o) => o !== t))}>
                <X aria-hidden />
              </IconButton>
            </li>
          ))}
        </ul>
      )}
      {none && <p className={s.hint}>Choose a share above 0 %, or name a twin.</p>}
    </ConfirmDialog>
  );
}

/** Says beforehand that a version in quarantine will fail its devices again. */
function Relapse({ version: v }: { version: DriverVersion }) {
  if (v.state !== 'quarantined') return null;
  return (
    <p className={s.warning}>
      It is in quarantine: {v.reason || 'it failed too often'}. If that is not over, it will be there again soon; a
      fixed version is the better way.
    </p>
  );
}

/** Makes a version active. */
export function Promote({ version: v, onClose }: Deed) {
  const stale = useStale();
  const promote = async () => {
    await drivers.promote(v.name, v.version);
    stale(v.name);
    toast.done(`${v.version} is active`);
  };
  const again = v.state === 'active';
  const range = v.firmware ? `with firmware ${v.firmware}` : 'of every firmware';
  return (
    <ConfirmDialog
      onClose={onClose}
      title={again ? `Promote ${v.version} again?` : `Make ${v.version} active?`}
      note={
        again
          ? `${plural(v.blocked?.length ?? 0, 'twin')} that are blocked use it again, and its failures are counted anew. If their messages still make it fail, they are blocked again. Redrive then, so that what is parked is read.`
          : `All devices ${range} use it from now on, unless a newer version is for them. Undo: withdraw it, and the version before counts again.`
      }
      verb="Promote"
      work={promote}
    >
      <Relapse version={v} />
    </ConfirmDialog>
  );
}

/** Takes a version away from its devices. */
export function Withdraw({ version: v, before, onClose }: Deed & { before?: DriverVersion }) {
  const stale = useStale();
  const [reason, setReason] = useState('');
  const withdraw = async () => {
    await drivers.withdraw(v.name, v.version, reason.trim());
    stale(v.name);
    toast.done(`${v.version} is withdrawn`);
  };
  return (
    <ConfirmDialog
      onClose={onClose}
      title={`Withdraw ${v.version}?`}
      note={`${
        before
          ? `Its devices use ${before.version} again, where that is for their firmware; messages of others are parked.`
          : 'No older version is in use: messages of its devices are parked until one is.'
      } Undo: promote it.`}
      verb="Withdraw"
      danger={!before}
      disabled={!reason.trim()}
      work={withdraw}
    >
      <TextField
        label="Reason"
        hint="Whoever looks at the driver sees it."
        placeholder="humidity is twice what it should be"
        maxLength={500}
        required
        value={reason}
        onChange={(e) => setReason(e.target.value)}
      />
    </ConfirmDialog>
  );
}

/** Deletes a version that nobody uses; the last takes the driver with it. */
export function Remove({ version: v, last, onClose }: Deed & { last: boolean }) {
  const stale = useStale();
  const [, go] = useLocation();
  const remove = async () => {
    await drivers.remove(v.name, v.version);
    toast.done(`${v.version} is deleted`);
    if (last) go('/drivers');
    stale(v.name);
  };
  return (
    <ConfirmDialog
      onClose={onClose}
      title={`Delete ${v.version}?`}
      note={
        last
          ? `It is the only version: driver ${v.name} goes with it. There is no undo.`
          : 'Its code and tests are gone for good. Parked messages stay, and are read by the version that is for them.'
      }
      verb="Delete"
      danger
      work={remove}
    />
  );
}
