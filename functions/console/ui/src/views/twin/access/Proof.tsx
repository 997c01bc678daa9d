import { useQuery } from '@tanstack/react-query';
import { Download } from 'lucide-react';
import type { ReactNode } from 'react';
import { api, ok } from '@/api/client';
import type { Decommission } from '@/api/types';
import { Badge } from '@/parts/Badge';
import { Button } from '@/parts/Button';
import { Card, Facts } from '@/parts/Card';
import { download } from '@/parts/download';
import { count, plural } from '@/parts/format';
import { Time } from '@/parts/Time';
import { actor } from '@/parts/words';
import s from './Access.module.css';

/** How a twin's device was decommissioned, where it was: what ended when. It is there when nothing else is; `otherwise` where it was not. */
export function Proof({ twin, otherwise }: { twin: string; otherwise?: ReactNode }) {
  const { data, isPending } = useQuery({
    queryKey: ['decommission', twin],
    queryFn: ({ signal }) =>
      ok(api.GET('/function/twins/decommissions/{twin}', { params: { path: { twin } }, signal })),
    retry: false,
    refetchInterval: (q) => (q.state.data && q.state.data.state !== 'done' ? 1_500 : false),
  });
  if (data) return <Shown proof={data} />;
  return isPending ? null : otherwise;
}

function Shown({ proof: p }: { proof: Decommission }) {
  const items: Parameters<typeof Facts>[0]['items'] = [
    ['Asked for', <Time key="a" at={p.asked} exact />],
    ['By', <bdi key="b">{actor(p.by)}</bdi>],
    ['Reason', <bdi key="r">{p.reason}</bdi>],
  ];
  if (p.type) items.push(['Type', <bdi key="t">{p.type}</bdi>]);
  if (p.owner) items.push(['Owner', <bdi key="o">{p.owner}</bdi>]);
  for (const c of p.credentials ?? [])
    items.push([
      `Credential ${c.generation}`,
      <span key={c.generation}>
        {c.kind} {c.ended ? 'ended ' : 'is ending'}
        {c.ended && <Time at={c.ended} exact />} {c.fingerprint && <code>SHA-256 {c.fingerprint}</code>}
      </span>,
    ]);
  for (const x of p.places ?? [])
    items.push([
      `Gateway ${x.gateway}`,
      <span key={x.ref}>
        let go <Time at={x.removed} exact />
        {x.applied && (
          <>
            , refuses it since <Time at={x.applied} exact />
          </>
        )}
      </span>,
    ]);
  if (p.archive)
    items.push([
      'Archive',
      <span key="x">
        <code>{p.archive}</code>
        {p.sha256 && (
          <>
            , SHA-256 <code>{p.sha256}</code>
          </>
        )}
        {p.records !== undefined && `, ${count(p.records)} records`}
      </span>,
    ]);
  else if (p.data === 'erase') items.push(['Data', `erased: ${plural(p.messages, 'message')}`]);
  if (p.removed) items.push(['Twin deleted', <Time key="d" at={p.removed} exact />]);
  return (
    <Card
      className={s.proof}
      title="Decommissioned"
      note={
        <Badge tone={p.state === 'done' ? 'ok' : 'info'} dot>
          {p.state === 'done'
            ? 'done'
            : `waits for ${p.waits || (p.state === 'access' ? 'access to end' : 'its data')}`}
        </Badge>
      }
      actions={
        <Button
          size="s"
          icon={<Download aria-hidden />}
          onClick={() => download(`${p.twin}-decommission.json`, `${JSON.stringify(p, null, 2)}\n`)}
        >
          Download the proof
        </Button>
      }
    >
      <Facts items={items} />
    </Card>
  );
}
