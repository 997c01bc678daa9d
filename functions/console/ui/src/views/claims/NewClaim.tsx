import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { useLocation } from 'wouter';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import { Card } from '@/parts/Card';
import { forProtocol } from '@/parts/claim/claim';
import { given } from '@/parts/claim/given';
import { Select, TextArea, TextField } from '@/parts/Field';
import form from '@/parts/Form.module.css';
import { Page } from '@/parts/Page';
import { toast } from '@/parts/toast';
import { useAction } from '@/parts/useAction';
import { useKinds } from '@/parts/useKinds';
import { useParam } from '@/parts/useParam';
import { addressOf } from '@/views/enrol/address';
import { FormEnd } from '@/views/enrol/FormEnd';
import { makeIdentity } from '@/views/enrol/make';
import { useGroups } from '@/views/enrol/useGroups';
import { labelsHref } from './claims';
import s from './NewClaim.module.css';
import { WhomFields } from './WhomFields';
import { claimsOf, faultsOf, first, serialsIn, toBeKnown, type Wish } from './wish';

/** A claim with all that it may say; then its file and QR code are handed over. */
export default function NewClaim() {
  const queries = useQueryClient();
  const [, go] = useLocation();
  const [type] = useParam('type');
  const { groups } = useGroups();
  const types = [...useKinds().values()].filter((t) => t.kind === 'type');
  const [w, setW] = useState<Wish>({ ...first, type });
  const [tried, setTried] = useState(false);
  const [made, setMade] = useState(0);
  const { busy, refused, run } = useAction();
  const wish = { ...w, owner: w.owner || (groups[0] ?? '') };
  const set = (change: Partial<Wish>) => setW({ ...w, ...change });
  const faults = faultsOf(wish);
  const fault = (field: keyof Wish) => (tried ? faults[field] : undefined);

  const make = async () => {
    for (const serial of toBeKnown(wish)) await makeIdentity(serial, wish.type, wish.owner);
    const wanted = claimsOf(wish);
    const serials = serialsIn(wish.serials);
    let last = '';
    for (const [i, body] of wanted.entries()) {
      const file = await ok(api.POST('/function/credentials/claims', { body }));
      const serial = (wish.whom === 'labels' && serials[i]) || '';
      given.keep({ file: forProtocol(file, wish.protocol), serial });
      queries.setQueryData(keys.claims({ id: file.claim.id }), file.claim);
      last = file.claim.id;
      setMade(i + 1);
    }
    void queries.invalidateQueries({ queryKey: ['claims'] });
    toast.done(wanted.length === 1 ? 'The claim is made' : `${wanted.length} claims are made`);
    go(wish.whom === 'labels' ? labelsHref(wish.batch.trim()) : addressOf({ step: 'watch', claim: last }));
  };
  const submit = (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    setMade(0);
    if (Object.keys(faults).length === 0) void run(make);
  };
  const labels = wish.whom === 'labels' ? serialsIn(wish.serials).length : 0;
  return (
    <Page title="New claim" up={{ href: '/claims', label: 'Claims' }}>
      <Card label="The claim" className={form.card}>
        <form className={form.form} onSubmit={submit} noValidate>
          <div className={form.two}>
            <Select label="Type" value={w.type} error={fault('type')} onChange={(e) => set({ type: e.target.value })}>
              <option value="">Choose…</option>
              {types.map((t) => (
                <option key={t.id} value={t.id}>
                  {t.definition.name || t.id}
                </option>
              ))}
            </Select>
            <Select
              label="Owner"
              hint="The group that sees and manages the devices."
              value={wish.owner}
              error={fault('owner')}
              onChange={(e) => set({ owner: e.target.value })}
            >
              {groups.map((g) => (
                <option key={g} value={g}>
                  {g}
                </option>
              ))}
            </Select>
          </div>
          <WhomFields w={w} set={set} fault={fault} />
          <div className={form.two}>
            <Select
              label="Good for"
              value={w.expires}
              hint="After that nothing comes in with it."
              onChange={(e) => set({ expires: e.target.value })}
            >
              <option value="1h">1 hour</option>
              <option value="24h">1 day</option>
              {!w.temporary && (
                <>
                  <option value="168h">7 days</option>
                  <option value="720h">30 days</option>
                  <option value="2160h">90 days</option>
                </>
              )}
            </Select>
            <Select
              label="Protocol"
              value={w.protocol}
              hint="Whose provisioning gateway file and QR code name."
              onChange={(e) => set({ protocol: e.target.value })}
            >
              <option value="mqtt">MQTT</option>
              <option value="grpc">gRPC</option>
              <option value="http">HTTP</option>
            </Select>
            <TextField
              label="Batch"
              hint="A name that the claims of one lot of devices share."
              maxLength={64}
              dir="auto"
              value={w.batch}
              error={fault('batch')}
              onChange={(e) => set({ batch: e.target.value })}
            />
            <TextField
              label="Region"
              hint="Its gateway is chosen by it."
              maxLength={64}
              dir="auto"
              value={w.region}
              onChange={(e) => set({ region: e.target.value })}
            />
            <TextField
              label="Site"
              hint="For people."
              maxLength={64}
              dir="auto"
              value={w.site}
              onChange={(e) => set({ site: e.target.value })}
            />
          </div>
          <label className={form.check}>
            <input
              type="checkbox"
              checked={w.temporary}
              onChange={(e) =>
                set({ temporary: e.target.checked, ...(!['1h', '24h'].includes(w.expires) && { expires: '24h' }) })
              }
            />
            Temporary: for an installer. It ends within a day.
          </label>
          <TextArea
            label="Note"
            rows={2}
            maxLength={500}
            dir="auto"
            value={w.note}
            onChange={(e) => set({ note: e.target.value })}
          />
          {busy && labels > 1 && (
            <p role="status" className={s.progress}>
              {made} of {labels} claims made…
            </p>
          )}
          <FormEnd
            refused={
              refused && made > 0 ? `${refused} ${made} of ${labels} claims were made; they are in the list.` : refused
            }
            busy={busy}
            verb={labels > 1 ? `Make ${labels} claims` : 'Make the claim'}
          />
        </form>
      </Card>
    </Page>
  );
}
