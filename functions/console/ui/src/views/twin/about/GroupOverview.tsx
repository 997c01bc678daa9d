import { useQuery } from '@tanstack/react-query';
import { Boxes } from 'lucide-react';
import { Link } from 'wouter';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Twin } from '@/api/types';
import { online, useLiveTwin } from '@/live/twins';
import { PhaseBadge, PresenceDot } from '@/parts/Badge';
import { ButtonLink } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { Empty, Failure, Skeleton } from '@/parts/States';
import { Time } from '@/parts/Time';
import s from './About.module.css';
import { Members } from './Members';

const shown = 25;

/** What is together in a group: the numbers, and the first few of them. */
export default function GroupOverview({ twin }: { twin: Twin }) {
  const query = { aggregate: twin.id, view: 'row', limit: shown } as const;
  const members = useQuery({
    queryKey: keys.twins(query),
    queryFn: ({ signal }) => ok(api.GET('/function/twins/twins', { params: { query }, signal })),
  });
  const items = members.data?.items ?? [];
  return (
    <div className={s.page}>
      <Members filter={{ aggregate: twin.id }} what="members" />
      <Card title="Members" flush>
        {members.isPending ? (
          <div className={s.pad}>
            <Skeleton lines={5} />
          </div>
        ) : members.isError && !members.data ? (
          <Failure error={members.error} retry={() => void members.refetch()} />
        ) : items.length === 0 ? (
          <Empty icon={<Boxes aria-hidden />} title="Nothing is in this group yet">
            A twin joins when its definition names the group.
          </Empty>
        ) : (
          <ul>
            {items.map((t) => (
              <Member key={t.id} twin={t} />
            ))}
          </ul>
        )}
        {members.data?.next && (
          <div className={s.pad}>
            <ButtonLink size="s" href={`/?aggregate=${encodeURIComponent(twin.id)}`}>
              All members
            </ButtonLink>
          </div>
        )}
      </Card>
    </div>
  );
}

function Member({ twin }: { twin: Twin }) {
  const t = useLiveTwin(twin);
  return (
    <li className={s.member}>
      <Link href={`/twins/${encodeURIComponent(t.id)}`}>
        <bdi>{t.definition.name || t.id}</bdi>
      </Link>
      <PhaseBadge phase={t.definition.phase} />
      <PresenceDot online={online(t)} seen={!!t.live.presence.lastSeen} />
      <span className={s.when}>
        <Time at={t.live.presence.lastSeen} never="" />
      </span>
    </li>
  );
}
