import { useQuery } from '@tanstack/react-query';
import { KeyRound } from 'lucide-react';
import { ApiError, api, ok } from '@/api/client';
import { now } from '@/api/clock';
import { keys } from '@/api/queries';
import { oneModel } from '@/api/reads';
import type { Claim, Twin } from '@/api/types';
import { Badge } from '@/parts/Badge';
import { ButtonLink } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { Listed } from '@/parts/Listed';
import { StateMachine } from '@/parts/run/StateMachine';
import { Empty, Failure, Skeleton } from '@/parts/States';
import { Time } from '@/parts/Time';
import { has, useUser } from '@/parts/useUser';
import { addressOf } from '@/views/enrol/address';
import s from './Provisioning.module.css';

/** How devices of a type come in: the model they go through, and the claims they may ask with. */
export default function TypeProvisioning({ twin }: { twin: Twin }) {
  return (
    <div className={s.split}>
      <Model id={twin.definition.model?.provisioning || 'automatic'} />
      <Claims type={twin.id} />
    </div>
  );
}

function Model({ id }: { id: string }) {
  const may = has(useUser(), 'maintainer', 'configurator');
  const query = useQuery({ ...oneModel(id), enabled: may });
  const model = query.data;
  return (
    <Card title="Provisioning model" note={model ? `${model.id}, version ${model.version}` : id}>
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
    </Card>
  );
}

function Claims({ type }: { type: string }) {
  const query = useQuery({
    queryKey: keys.claims({ limit: 1000 }),
    queryFn: ({ signal }) =>
      ok(api.GET('/function/credentials/claims', { params: { query: { limit: 1000 } }, signal })),
  });
  const claims = (query.data?.items ?? []).filter((c) => c.type === type);
  const enrol = (
    <ButtonLink size="s" href={addressOf({ step: 'device', type })}>
      Enrol a device
    </ButtonLink>
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
  const over = Date.parse(c.expires) < now();
  const state = c.revoked ? 'revoked' : over ? 'expired' : c.used >= c.maxUses ? 'used up' : 'open';
  return (
    <li className={s.claim}>
      <code>{c.id}</code>
      <Badge tone={state === 'open' ? 'ok' : 'neutral'}>{state}</Badge>
      <span>
        {c.used} of {c.maxUses} used
      </span>
      <span>
        serial <bdi>{c.serials || 'any'}</bdi>
      </span>
      <span>
        for <bdi>{c.owner}</bdi>
      </span>
      <span>
        {over ? 'ended' : 'ends'} <Time at={c.expires} />
      </span>
    </li>
  );
}
