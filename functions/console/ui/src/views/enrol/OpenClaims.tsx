import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Claim } from '@/api/types';
import { Button, ButtonLink } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { open, serialsOf } from '@/parts/claim/claim';
import { RevokeClaim } from '@/parts/claim/RevokeClaim';
import { count } from '@/parts/format';
import { More } from '@/parts/Listed';
import { Failure } from '@/parts/States';
import { Time, useNow } from '@/parts/Time';
import { addressOf } from './address';
import s from './OpenClaims.module.css';

const pages = 5;
const most = 50;

/** The claims that still let somebody in, the newest first, and their end. */
export function OpenClaims() {
  const claims = useQuery({ queryKey: keys.claims({ open: true }), queryFn: ({ signal }) => readAll(signal) });
  const now = useNow();
  const [revoking, setRevoking] = useState<Claim>();
  const [all, setAll] = useState(false);
  if (claims.isError)
    return <Failure error={claims.error} retry={() => claims.refetch()} what="The claims could not be read" />;
  const found = (claims.data ?? []).filter((c) => open(c, now)).sort((a, b) => (a.created < b.created ? 1 : -1));
  if (found.length === 0) return null;
  const shown = all ? found : found.slice(0, most);
  return (
    <Card
      title="Open claims"
      note={`${count(found.length)} that still let devices in`}
      flush
      actions={
        <ButtonLink size="s" href="/claims">
          All claims
        </ButtonLink>
      }
    >
      <ul>
        {shown.map((c) => (
          <li key={c.id} className={s.claim}>
            <Link href={addressOf({ step: 'watch', claim: c.id })} className={s.which}>
              <bdi>{serialsOf(c)}</bdi>
            </Link>
            <span className={s.what}>
              <bdi>{c.type}</bdi> for <bdi>{c.owner}</bdi>
            </span>
            <span className={s.uses}>
              {count(c.used)} of {count(c.maxUses)} in
            </span>
            <span className={s.until}>
              ends <Time at={c.expires} />
            </span>
            <Button size="s" kind="danger" onClick={() => setRevoking(c)}>
              Revoke<span className="visually-hidden"> {c.id}</span>
            </Button>
          </li>
        ))}
      </ul>
      {shown.length < found.length && <More onClick={() => setAll(true)}>Show all</More>}
      {revoking && <RevokeClaim claim={revoking} onClose={() => setRevoking(undefined)} />}
    </Card>
  );
}

async function readAll(signal: AbortSignal): Promise<Claim[]> {
  const out: Claim[] = [];
  let cursor = '';
  for (let n = 0; n < pages; n++) {
    const query = { state: 'open' as const, limit: 1000, ...(cursor && { cursor }) };
    const page = await ok(api.GET('/function/credentials/claims', { params: { query }, signal }));
    out.push(...page.items);
    cursor = page.next ?? '';
    if (!cursor) break;
  }
  return out;
}
