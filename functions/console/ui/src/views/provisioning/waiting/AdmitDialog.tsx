import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { twins } from '@/api/reads';
import type { Waiting } from '@/api/types';
import { ConfirmDialog } from '@/parts/ConfirmDialog';
import { Select, TextField } from '@/parts/Field';
import { count, plural } from '@/parts/format';
import { toast } from '@/parts/toast';
import { useGroups } from '@/views/enrol/useGroups';
import { HowFar, useHowFar } from './HowFar';
import { Outcome } from './Outcome';
import { admit, type Settled } from './settle';
import s from './Waiting.module.css';
import { commonGuess } from './waiting';

/** As what, for whom and where devices are let in. */
export function AdmitDialog({
  who,
  onClose,
  onDone,
}: {
  who: Waiting[];
  onClose: () => void;
  /** With those that were not admitted. */
  onDone: (left: string[]) => void;
}) {
  const types = useQuery(twins({ kind: 'type', limit: 500 })).data?.items ?? [];
  const groups = useGroups().groups;
  const guessed = who.every((w) => w.guess?.length);
  const [type, setType] = useState(() => commonGuess(who));
  const [owner, setOwner] = useState('');
  const [site, setSite] = useState('');
  const [region, setRegion] = useState('');
  const [register, setRegister] = useState(true);
  const [reason, setReason] = useState('');
  const [out, setOut] = useState<Settled>();
  const far = useHowFar(onClose);
  const group = owner || (groups[0] ?? '');
  const work = async () => {
    const location = { ...(site && { site }), ...(region && { region }) };
    const how = {
      owner: group,
      ...(type && { type }),
      ...((site || region) && { location }),
      register,
      ...(reason.trim() && { reason: reason.trim() }),
    };
    const d = await far.work((tell) => admit(who, how, tell));
    if (d.faults.length > 0) {
      setOut(d);
      throw new Error('some were not admitted');
    }
    toast.done(
      `${plural(d.done, 'device')} admitted: ${d.done === 1 ? 'it comes in when it knocks' : 'they come in when they knock'} again`,
    );
    onDone([]);
  };
  const one = who.length === 1;
  if (out) return <Outcome out={out} who={who} verb="admitted" onClose={() => onDone(out.faults.map((f) => f.id))} />;
  return (
    <ConfirmDialog
      onClose={far.close}
      title={one ? `Admit ${who[0]!.serial.slice(0, 60)}` : `Admit ${count(who.length)} devices`}
      note={one ? 'It comes in as soon as it knocks again.' : 'They come in as soon as they knock again.'}
      verb="Admit"
      disabled={!group || (!type && !guessed)}
      work={work}
    >
      <Select
        label="Type"
        value={type}
        onChange={(e) => setType(e.target.value)}
        hint={!type && !guessed ? 'Not every one has a guess: choose a type.' : undefined}
      >
        <option value="">{one ? 'Choose…' : 'Each as what it likeliest is'}</option>
        {type && !types.some((t) => t.id === type) && <option value={type}>{type}</option>}
        {types.map((t) => (
          <option key={t.id} value={t.id}>
            {t.definition.name || t.id}
            {t.id === commonGuess(who) ? ' (guessed)' : ''}
          </option>
        ))}
      </Select>
      <Select
        label="Owner"
        value={group}
        onChange={(e) => setOwner(e.target.value)}
        hint={`The group that sees and manages ${one ? 'it' : 'them'}.`}
      >
        {groups.map((g) => (
          <option key={g} value={g}>
            {g}
          </option>
        ))}
      </Select>
      <div className={s.pair}>
        <TextField label="Site" value={site} onChange={(e) => setSite(e.target.value)} maxLength={64} />
        <TextField label="Region" value={region} onChange={(e) => setRegion(e.target.value)} maxLength={64} />
      </div>
      <label className={s.tick}>
        <input type="checkbox" checked={register} onChange={(e) => setRegister(e.target.checked)} />
        <span>
          {one ? 'Make its identity known' : 'Make their identities known'}
          <small>
            {one
              ? 'Without that, its serial must be registered before it comes in.'
              : 'Without that, their serials must be registered before they come in.'}
          </small>
        </span>
      </label>
      <TextField label="Reason" value={reason} onChange={(e) => setReason(e.target.value)} maxLength={200} />
      <HowFar asked={far.asked} all={who.length} />
    </ConfirmDialog>
  );
}
