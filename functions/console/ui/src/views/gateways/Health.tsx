import type { Gateway } from '@/api/types';
import { Badge } from '@/parts/Badge';
import { Time } from '@/parts/Time';
import s from './Gateways.module.css';
import { healthOf } from './gateways';

/** How a gateway is, why, and when it was heard of last. */
export function Health({ gateway: g }: { gateway: Gateway }) {
  const { word, tone } = healthOf(g);
  return (
    <span className={s.how}>
      <Badge tone={tone} dot>
        {word}
      </Badge>
      <span className={s.seen}>
        heard <Time at={g.seen} />
      </span>
      {g.reason && (g.draining || g.dead) && (
        <span className={s.reason} dir="auto">
          {g.reason}
        </span>
      )}
    </span>
  );
}
