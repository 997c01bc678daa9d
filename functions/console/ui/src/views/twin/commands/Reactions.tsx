import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Eraser } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { api, ok } from '@/api/client';
import type { Twin } from '@/api/types';
import { Button } from '@/parts/Button';
import { Card, Facts } from '@/parts/Card';
import { ConfirmDialog } from '@/parts/ConfirmDialog';
import { count, plural } from '@/parts/format';
import { driverHref } from '@/parts/links';
import { useMayWrite } from '@/parts/may';
import { Failure, Skeleton } from '@/parts/States';
import { TextLink } from '@/parts/TextLink';
import { Time } from '@/parts/Time';
import { toast } from '@/parts/toast';

/** What the driver has come to by reacting to what the device says. */
export function Reactions({ twin }: { twin: Twin }) {
  const queries = useQueryClient();
  const [asking, setAsking] = useState(false);
  const may = useMayWrite(twin.id, twin.definition.owner);
  const path = { twin: twin.id };
  const key = ['reactions', twin.id];
  const query = useQuery({
    queryKey: key,
    queryFn: ({ signal }) => ok(api.GET('/function/drivers/reactions/{twin}', { params: { path }, signal })),
    refetchInterval: 15_000,
  });
  const r = query.data;
  const forget = async () => {
    await ok(api.DELETE('/function/drivers/reactions/{twin}', { params: { path } }));
    await queries.invalidateQueries({ queryKey: key });
    toast.done('The driver begins without a state');
  };
  return (
    <Card
      title="The driver reacts"
      note="to what the device says, by its on_event"
      actions={
        may &&
        r?.state && (
          <Button size="s" icon={<Eraser aria-hidden />} onClick={() => setAsking(true)}>
            Forget the state…
          </Button>
        )
      }
    >
      {query.isError && !r ? (
        <Failure
          error={query.error}
          what="What the driver has come to could not be read"
          retry={() => void query.refetch()}
        />
      ) : !r ? (
        <Skeleton height={60} />
      ) : !r.driver ? (
        <p>It has not reacted yet: nothing has come from the device since it may, or the driver has no on_event.</p>
      ) : (
        <Facts items={factsOf(r)} />
      )}
      {asking && (
        <ConfirmDialog
          onClose={() => setAsking(false)}
          title="Forget the driver’s state?"
          note="With the next message its on_event begins as for a device that has never said anything. Commands that it has sent go on."
          verb="Forget"
          work={forget}
        />
      )}
    </Card>
  );
}

interface Reaction {
  driver?: string;
  version?: string;
  reacted?: string;
  state?: string;
  sent: number;
  dropped: number;
  failure?: string;
  failed?: string;
}

function factsOf(r: Reaction): [string, ReactNode][] {
  const facts: [string, ReactNode][] = [
    [
      'Driver',
      <TextLink key="d" href={driverHref(r.driver ?? '')}>
        {r.driver} {r.version}
      </TextLink>,
    ],
    ['State', r.state ? plural(atob(r.state).length, 'byte') : 'none'],
    ['Commands', `${count(r.sent)} sent${r.dropped ? `, ${count(r.dropped)} dropped: the log says why` : ''}`],
  ];
  if (r.reacted) facts.push(['Reacted', <Time key="t" at={r.reacted} />]);
  if (r.failure)
    facts.push([
      'Last failure',
      <span key="f">
        {r.failure} {r.failed && <Time at={r.failed} />}
      </span>,
    ]);
  return facts;
}
