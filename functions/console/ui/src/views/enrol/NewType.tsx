import { useQueryClient } from '@tanstack/react-query';
import { Plus, X } from 'lucide-react';
import { type FormEvent, useRef, useState } from 'react';
import { Button, IconButton } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { Select, TextField } from '@/parts/Field';
import form from '@/parts/Form.module.css';
import { Empty } from '@/parts/States';
import { useAction } from '@/parts/useAction';
import { has, useUser } from '@/parts/useUser';
import type { Place } from './address';
import { FormEnd } from './FormEnd';
import s from './form.module.css';
import { makeType } from './make';
import { type Draft, draftFault, idOf, newTwin } from './newType';

const units = ['Cel', '%', 'By', 'bar', 'rpm', 'V', 'A', 'W', 'Hz', 'm/s', 'mm', 'kg', 's'];

/** A type with a name and the few properties that matter first; the rest is set where the type is shown. */
export function NewType({ go }: { go: (p: Place) => void }) {
  const queries = useQueryClient();
  const user = useUser();
  const groups = user?.groups ?? [];
  const nobodys = has(user, 'maintainer');
  const nextKey = useRef(2);
  const [draft, setDraft] = useState<Draft>({
    name: '',
    id: '',
    owner: groups[0] ?? '',
    properties: [{ key: 1, name: '', unit: '' }],
  });
  const { busy, refused, run } = useAction();
  const [tried, setTried] = useState(false);
  const set = (change: Partial<Draft>) => setDraft({ ...draft, ...change });
  const setProperty = (key: number, change: { name?: string; unit?: string }) =>
    set({ properties: draft.properties.map((p) => (p.key === key ? { ...p, ...change } : p)) });
  const faults = draftFault(draft);
  const fault = (field: string) => (tried ? faults[field] : undefined);

  const submit = (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    if (Object.keys(faults).length > 0) return;
    void run(async () => {
      const t = await makeType(newTwin(draft));
      void queries.invalidateQueries({ queryKey: ['twins'] });
      go({ step: 'device', type: t.id });
    });
  };
  if (groups.length === 0 && !nobodys)
    return (
      <Empty title="You belong to no group">
        A type belongs to a group. Ask a maintainer to put you into one: <code>castor user set NAME --group press</code>
        ; one that is not there yet is made by <code>castor group create press</code>.
      </Empty>
    );
  return (
    <Card title="A new type" className={form.card}>
      <form className={form.form} onSubmit={submit} noValidate>
        <div className={form.two}>
          <TextField
            label="Name"
            placeholder="Coolant pump"
            maxLength={128}
            value={draft.name}
            error={fault('name')}
            onChange={(e) => set({ name: e.target.value })}
            autoFocus
          />
          <TextField
            label="Id"
            placeholder={idOf(draft.name) || 'coolant-pump'}
            hint="In addresses, topics and rules. It cannot be changed later."
            maxLength={64}
            value={draft.id}
            error={fault('id')}
            onChange={(e) => set({ id: e.target.value })}
          />
          <Select
            label="Belongs to"
            hint="The group that sees it, and may enrol devices of it."
            value={draft.owner}
            onChange={(e) => set({ owner: e.target.value })}
          >
            {groups.map((g) => (
              <option key={g} value={g}>
                {g}
              </option>
            ))}
            {nobodys && <option value="">the maintainers</option>}
          </Select>
        </div>
        <fieldset className={form.set}>
          <legend>What its devices report</legend>
          <p className={s.hint}>
            Nested values are dotted: <code>bearing.temperature</code>. Units are UCUM codes: <code>Cel</code>,{' '}
            <code>%</code>, <code>By</code>. What is not declared is stored too.
          </p>
          {draft.properties.map((p, i) => (
            <div key={p.key} className={s.property}>
              <TextField
                bare
                label={`Property ${i + 1}`}
                placeholder="temperature"
                maxLength={128}
                value={p.name}
                error={fault(`property ${p.key}`)}
                onChange={(e) => setProperty(p.key, { name: e.target.value })}
              />
              <TextField
                bare
                label={`Unit of property ${i + 1}`}
                placeholder="unit"
                list="units"
                maxLength={32}
                value={p.unit}
                onChange={(e) => setProperty(p.key, { unit: e.target.value })}
              />
              <IconButton
                label={`Remove property ${i + 1}`}
                onClick={() => set({ properties: draft.properties.filter((o) => o.key !== p.key) })}
              >
                <X aria-hidden />
              </IconButton>
            </div>
          ))}
          <datalist id="units">
            {units.map((u) => (
              <option key={u} value={u} />
            ))}
          </datalist>
          <div>
            <Button
              size="s"
              icon={<Plus aria-hidden />}
              disabled={draft.properties.length >= 50}
              onClick={() => set({ properties: [...draft.properties, { key: nextKey.current++, name: '', unit: '' }] })}
            >
              Add a property
            </Button>
          </div>
        </fieldset>
        <FormEnd refused={refused} busy={busy} verb="Make the type" />
      </form>
    </Card>
  );
}
