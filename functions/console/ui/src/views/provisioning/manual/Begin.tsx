import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useEffect, useState } from 'react';
import { useLocation } from 'wouter';
import { api, ok } from '@/api/client';
import { reasonOf } from '@/api/problem';
import { keys } from '@/api/queries';
import { twins } from '@/api/reads';
import type { NewRun } from '@/api/types';
import { Button } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { Select, TextField } from '@/parts/Field';
import { installHref } from '@/parts/links';
import { Failure, Skeleton } from '@/parts/States';
import { useAction } from '@/parts/useAction';
import { useParam } from '@/parts/useParam';
import { useGroups } from '@/views/enrol/useGroups';
import { newPair } from './hpke';
import s from './Manual.module.css';
import { NoKey } from './NoKey';
import { keepPair } from './pairs';

/** Begins a run for a device that cannot ask: an installer is led through it, step by step. */
export function Begin() {
  const types = useQuery(twins({ kind: 'type', limit: 500 }));
  const groups = useGroups();
  const queries = useQueryClient();
  const [, go] = useLocation();
  const [type, setType] = useParam('type');
  const [owner, setOwner] = useParam('owner');
  const [site, setSite] = useParam('site');
  const [region, setRegion] = useParam('region');
  const [kind, setKind] = useState<NonNullable<NewRun['kind']>>('token');
  const [protocol, setProtocol] = useState<NonNullable<NewRun['protocol']>>('mqtt');
  const [serial, setSerial] = useState('');
  const [cannot, setCannot] = useState('');
  const { busy, refused, run } = useAction();
  useEffect(() => {
    newPair().catch((e) => setCannot(reasonOf(e)));
  }, []);
  if (types.isPending || groups.pending)
    return (
      <Card>
        <Skeleton lines={6} />
      </Card>
    );
  if (!types.data) return <Failure error={types.error} retry={() => void types.refetch()} />;
  const items = [...types.data.items].sort(
    (a, b) => rank(a.definition.model?.provisioning) - rank(b.definition.model?.provisioning),
  );
  const chosen = items.find((t) => t.id === type) ?? items[0];
  const group = groups.groups.includes(owner) ? owner : (groups.groups[0] ?? '');
  const submit = (e: FormEvent) => {
    e.preventDefault();
    void run(async () => {
      const pair = await newPair();
      const location = { ...(site && { site }), ...(region && { region }) };
      const r = await ok(
        api.POST('/function/twin-provision/runs', {
          body: {
            type: chosen!.id,
            owner: group,
            ...(serial.trim() && { serial: serial.trim() }),
            ...((site || region) && { location }),
            publicKey: pair.publicKey,
            protocol,
            kind,
          },
        }),
      );
      keepPair(r.id, pair);
      queries.setQueryData(keys.run(r.id), r);
      for (const word of ['runs', 'board']) void queries.invalidateQueries({ queryKey: [word] });
      go(installHref(r.id));
    });
  };
  return (
    <Card title="Bring in a device by hand" className={s.begin}>
      <p className={s.intro}>
        For devices that cannot ask themselves. You are led through it a step at a time, on a phone too; the secret that
        the device needs is shown to you alone.
      </p>
      {cannot && <NoKey why={cannot} type={chosen?.id ?? ''} owner={group} />}
      <form className={s.form} onSubmit={submit}>
        <Select label="Type" value={chosen?.id ?? ''} onChange={(e) => setType(e.target.value)} required>
          {items.map((t) => (
            <option key={t.id} value={t.id}>
              {t.definition.name || t.id}
              {t.definition.model?.provisioning === 'manual' ? ' (by hand)' : ''}
            </option>
          ))}
        </Select>
        <Select
          label="Owner"
          value={group}
          onChange={(e) => setOwner(e.target.value)}
          hint="The group that sees and manages it."
          required
        >
          {groups.groups.map((g) => (
            <option key={g} value={g}>
              {g}
            </option>
          ))}
        </Select>
        <TextField
          label="Serial"
          value={serial}
          onChange={(e) => setSerial(e.target.value)}
          maxLength={64}
          hint="If you know it already; else you are asked for it at the device."
        />
        <div className={s.pair}>
          <Select label="It speaks" value={protocol} onChange={(e) => setProtocol(e.target.value as typeof protocol)}>
            <option value="mqtt">MQTT</option>
            <option value="grpc">gRPC</option>
            <option value="http">HTTP</option>
          </Select>
          <Select label="It proves itself with" value={kind} onChange={(e) => setKind(e.target.value as typeof kind)}>
            <option value="token">a token</option>
            <option value="password">user name and password</option>
            <option value="api-key">an API key</option>
          </Select>
          <TextField
            label="Site"
            value={site}
            onChange={(e) => setSite(e.target.value)}
            maxLength={64}
            hint="For people."
          />
          <TextField
            label="Region"
            value={region}
            onChange={(e) => setRegion(e.target.value)}
            maxLength={64}
            hint="Its gateway is chosen by it."
          />
        </div>
        <p role="alert" className={s.refused}>
          {refused}
        </p>
        <Button kind="primary" type="submit" busy={busy} disabled={!!cannot || !chosen || !group} className={s.big}>
          Begin
        </Button>
      </form>
    </Card>
  );
}

/** Types that are brought in by hand stand first. */
const rank = (model: string | undefined) => (model === 'manual' ? 0 : 1);
