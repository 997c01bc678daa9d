import { useQuery } from '@tanstack/react-query';
import { Boxes } from 'lucide-react';
import { Link } from 'wouter';
import { twins } from '@/api/reads';
import type { Twin } from '@/api/types';
import { online, useLiveTwin } from '@/live/twins';
import { PhaseBadge, PresenceDot } from '@/parts/Badge';
import { ButtonLink } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { Listed } from '@/parts/Listed';
import { fleetHref, twinHref } from '@/parts/links';
import { Empty } from '@/parts/States';
import { Time } from '@/parts/Time';
import s from './About.module.css';
import { Members } from './Members';

const shown = 25;

/** What is together in an aggregate: the numbers, and the first few of them. */
export default function GroupOverview({ twin }: { twin: Twin }) {
  const members = useQuery(twins({ aggregate: twin.id, view: 'row', limit: shown }));
  const items = members.data?.items ?? [];
  return (
    <div className={s.page}>
      <Members filter={{ aggregate: twin.id }} what="member" />
      <Card title="Members" flush>
        <Listed
          query={members}
          count={items.length}
          empty={
            <Empty icon={<Boxes aria-hidden />} title="Nothing is in this aggregate yet">
              A twin joins when its definition names the aggregate.
            </Empty>
          }
        >
          <ul>
            {items.map((t) => (
              <Member key={t.id} twin={t} />
            ))}
          </ul>
        </Listed>
        {members.data?.next && (
          <div className={s.pad}>
            <ButtonLink size="s" href={fleetHref({ aggregate: twin.id })}>
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
      <Link href={twinHref(t.id)}>
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
