import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { keys } from '@/api/queries';
import { ButtonLink } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { Select, TextField } from '@/parts/Field';
import form from '@/parts/Form.module.css';
import { Options } from '@/parts/Options';
import { Empty, Failure, Skeleton } from '@/parts/States';
import { useAction } from '@/parts/useAction';
import type { Place } from './address';
import { FormEnd } from './FormEnd';
import s from './form.module.css';
import { makeClaim } from './make';
import { Several } from './Several';
import { useGroups } from './useGroups';
import { faultsOf, first, newGroup, type Wanted, wishOf } from './wanted';

const whom = [
  { id: 'one', title: 'One device', about: 'You know its serial, or choose one.' },
  { id: 'several', title: 'Several devices', about: 'All whose serials match a pattern.' },
] as const;

/** Who will own the device, which devices may come in, how many and until when. */
export function ForWhom({ type, go }: { type: string; go: (p: Place) => void }) {
  const owners = useGroups();
  if (owners.pending)
    return (
      <Card title="Which device?" className={form.card}>
        <Skeleton lines={4} />
      </Card>
    );
  if (owners.error) return <Failure error={owners.error} retry={owners.retry} what="The groups could not be read" />;
  if (owners.groups.length === 0 && !owners.mayMake)
    return (
      <Empty title="You belong to no group" action={<ButtonLink href="/">To the fleet</ButtonLink>}>
        A device belongs to a group. Ask a maintainer to put you into one:{' '}
        <code>castor user set NAME --group press</code>; one that is not there yet is made by{' '}
        <code>castor group create press</code>.
      </Empty>
    );
  return <Form type={type} groups={owners.groups} mayMakeGroups={owners.mayMake} go={go} />;
}

function Form({
  type,
  groups,
  mayMakeGroups,
  go,
}: {
  type: string;
  groups: string[];
  mayMakeGroups: boolean;
  go: (p: Place) => void;
}) {
  const queries = useQueryClient();
  const [w, setW] = useState<Wanted>({ ...first, owner: groups[0] ?? newGroup });
  const [tried, setTried] = useState(false);
  const { busy, refused, run } = useAction();
  const set = (change: Partial<Wanted>) => setW({ ...w, ...change });
  const faults = faultsOf(w);
  const fault = (field: string) => (tried ? faults[field] : undefined);

  const submit = (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    if (Object.keys(faults).length > 0) return;
    void run(async () => {
      const g = await makeClaim(wishOf(type, w));
      queries.setQueryData(keys.claims({ id: g.file.claim.id }), g.file.claim);
      void queries.invalidateQueries({ queryKey: ['claims'] });
      void queries.invalidateQueries({ queryKey: ['groups'] });
      go({ step: 'watch', claim: g.file.claim.id });
    });
  };
  return (
    <Card
      className={form.card}
      title={
        <>
          Which device of type <bdi>{type}</bdi>?
        </>
      }
    >
      <form className={form.form} onSubmit={submit} noValidate>
        <fieldset className={form.set}>
          <legend>Who may come in</legend>
          <Options
            options={whom}
            value={w.several ? 'several' : 'one'}
            onChange={(v) => set({ several: v === 'several' })}
          />
        </fieldset>
        {w.several ? (
          <Several w={w} set={set} fault={fault} />
        ) : (
          <TextField
            label="Serial"
            placeholder="P-7"
            hint="As the device says it. It will be made known to the platform, and becomes the id of the twin."
            maxLength={64}
            value={w.serial}
            error={fault('serial')}
            onChange={(e) => set({ serial: e.target.value })}
            autoFocus
          />
        )}
        <div className={form.two}>
          <Select
            label="Owner"
            value={w.owner}
            onChange={(e) => set({ owner: e.target.value })}
            hint="The group that sees and manages it."
          >
            {groups.map((g) => (
              <option key={g} value={g}>
                {g}
              </option>
            ))}
            {mayMakeGroups && <option value={newGroup}>New group…</option>}
          </Select>
          {w.owner === newGroup && (
            <TextField
              label="New group"
              placeholder="operators"
              maxLength={64}
              value={w.group}
              error={fault('group')}
              onChange={(e) => set({ group: e.target.value })}
            />
          )}
          <Select
            label="Good for"
            value={w.expires}
            onChange={(e) => set({ expires: e.target.value })}
            hint="After that nothing comes in with it."
          >
            <option value="1h">1 hour</option>
            <option value="24h">1 day</option>
            <option value="168h">7 days</option>
            <option value="720h">30 days</option>
            <option value="2160h">90 days</option>
          </Select>
        </div>
        <details className={s.folded}>
          <summary>Location</summary>
          <div className={form.two}>
            <TextField
              label="Region"
              hint="Its gateway is chosen by it."
              maxLength={64}
              value={w.region}
              onChange={(e) => set({ region: e.target.value })}
            />
            <TextField
              label="Site"
              hint="For people."
              maxLength={64}
              value={w.site}
              onChange={(e) => set({ site: e.target.value })}
            />
          </div>
        </details>
        <FormEnd refused={refused} busy={busy} verb="Make the claim" />
      </form>
    </Card>
  );
}
