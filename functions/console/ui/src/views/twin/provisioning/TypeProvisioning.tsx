import { useQuery } from '@tanstack/react-query';
import { KeyRound } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { ApiError, api, ok } from '@/api/client';
import { now } from '@/api/clock';
import { keys } from '@/api/queries';
import { oneModel } from '@/api/reads';
import type { Claim, Twin } from '@/api/types';
import { Badge } from '@/parts/Badge';
import { Button, ButtonLink } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { CodeBlock } from '@/parts/Copy';
import { claimState, serialsOf } from '@/parts/claim/claim';
import { Listed } from '@/parts/Listed';
import { useMayWrite } from '@/parts/may';
import { StateMachine } from '@/parts/run/StateMachine';
import { comesByAnother } from '@/parts/run/words';
import { Empty, Failure, Skeleton } from '@/parts/States';
import { Time } from '@/parts/Time';
import { has, useUser } from '@/parts/useUser';
import { addressOf } from '@/views/enrol/address';
import { modelHref } from '@/views/models/models';
import { Choices } from './Choices';
import c from './Choices.module.css';
import s from './Provisioning.module.css';

/** How devices of a type come in: the model they go through, and the claims they may ask with. */
export default function TypeProvisioning({ twin }: { twin: Twin }) {
  return (
    <div className={s.split}>
      <Model type={twin} />
      {comesByAnother(twin.definition.model) ? <Relayed type={twin} /> : <Claims type={twin.id} />}
    </div>
  );
}

function Model({ type }: { type: Twin }) {
  const may = has(useUser(), 'maintainer', 'configurator');
  const mayWrite = useMayWrite(type.id, type.definition.owner) && may;
  const otherwise = type.definition.model?.provisioning || 'automatic';
  const choices = type.definition.model?.choices ?? [];
  const [seen, see] = useState('');
  const [editing, setEditing] = useState(false);
  const id = choices.some((c) => c.model === seen) ? seen : otherwise;
  const query = useQuery({ ...oneModel(id), enabled: may });
  const model = query.data;
  const way = (key: string, label: ReactNode, to: string) => (
    <li key={key}>
      <button type="button" aria-pressed={to === id} onClick={() => see(to)}>
        {label}
        <b>
          <bdi>{to}</bdi>
        </b>
      </button>
    </li>
  );
  return (
    <Card
      title="Provisioning model"
      note={model ? `${model.id}, version ${model.version}` : id}
      actions={
        may && (
          <>
            <ButtonLink size="s" href={modelHref(id)}>
              Open
            </ButtonLink>
            {mayWrite && (
              <Button size="s" onClick={() => setEditing(true)}>
                Choose…
              </Button>
            )}
          </>
        )
      }
    >
      {choices.length > 0 && (
        <ol className={c.chosen} aria-label="Models by condition">
          {choices.map((x) => way(x.if, <code title={x.if}>if {x.if}</code>, x.model))}
          {way('', <span>otherwise</span>, otherwise)}
        </ol>
      )}
      {!may ? (
        <p className={s.note}>
          Configurators see how it is drawn; a device’s own page shows it with how far that has come.
        </p>
      ) : query.isPending ? (
        <Skeleton lines={6} height={42} />
      ) : model ? (
        <>
          {model.note && (
            <p className={s.about} dir="auto">
              {model.note}
            </p>
          )}
          <StateMachine model={model} />
        </>
      ) : (
        <Failure error={query.error} retry={() => void query.refetch()} />
      )}
      {editing && <Choices type={type} onClose={() => setEditing(false)} />}
    </Card>
  );
}

/** How devices that another one speaks for are brought in: by name, so that they have nothing to ask with. */
function Relayed({ type }: { type: Twin }) {
  const owner = type.definition.owner || 'GROUP';
  return (
    <Card title="Bringing one in">
      <p className={s.about}>
        Another device speaks for these: a bridge, or the integration of a network server. They need no claim: each is
        added by its serial, VIA being the twin of who speaks for it.
      </p>
      <CodeBlock label="the command" code={`castor device add ${type.id} --owner ${owner} --serial SERIAL --via VIA`} />
    </Card>
  );
}

function Claims({ type }: { type: string }) {
  const query = useQuery({
    queryKey: keys.claims({ type, limit: 50 }),
    queryFn: ({ signal }) =>
      ok(api.GET('/function/credentials/claims', { params: { query: { type, limit: 50 } }, signal })),
  });
  const claims = query.data?.items ?? [];
  const enrol = (
    <>
      <ButtonLink size="s" kind="quiet" href={`/claims?type=${encodeURIComponent(type)}`}>
        All
      </ButtonLink>
      <ButtonLink size="s" href={addressOf({ step: 'device', type })}>
        Enrol a device
      </ButtonLink>
    </>
  );
  return (
    <Card title="Claims" note="what devices of this type may ask with" flush actions={enrol}>
      {query.error instanceof ApiError && query.error.status === 403 ? (
        <p className={s.pad}>Who brings devices in sees them: maintainers, configurators and owners.</p>
      ) : (
        <Listed
          query={query}
          count={claims.length}
          lines={3}
          empty={
            <Empty icon={<KeyRound aria-hidden />} title="No claim">
              A claim lets devices of a type ask to come in, as often and as long as it says.
            </Empty>
          }
        >
          <ul>
            {claims.map((c) => (
              <ClaimRow key={c.id} claim={c} />
            ))}
          </ul>
        </Listed>
      )}
    </Card>
  );
}

function ClaimRow({ claim: c }: { claim: Claim }) {
  const { id, word, tone } = claimState(c, now());
  return (
    <li className={s.claim}>
      <code>{c.id}</code>
      <Badge tone={tone}>{word}</Badge>
      <span>
        {c.used} of {c.maxUses} used
      </span>
      <span>
        <bdi>{serialsOf(c)}</bdi>
      </span>
      <span>
        for <bdi>{c.owner}</bdi>
      </span>
      <span>
        {id === 'expired' ? 'ended' : 'ends'} <Time at={c.expires} />
      </span>
    </li>
  );
}
