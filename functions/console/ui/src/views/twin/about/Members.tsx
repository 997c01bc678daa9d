import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { counts } from '@/api/reads';
import { Card } from '@/parts/Card';
import { count } from '@/parts/format';
import { fleetHref } from '@/parts/links';
import s from './About.module.css';

/** How many twins are below a type or aggregate, each number leading to them in the fleet. */
export function Members({ filter, what }: { filter: { type: string } | { aggregate: string }; what: string }) {
  const { data: n } = useQuery(counts(filter));
  const to = (more: Record<string, string>) => fleetHref({ ...filter, ...more });
  const figures: [string, number | undefined, string][] = [
    [n?.instances === 1 ? what : `${what}s`, n?.instances, to({})],
    ['online', n?.online, to({ presence: 'online' })],
    ['not online', n && n.offline + n.neverSeen, to({ presence: 'offline' })],
    ['with open alarms', n?.alarms, to({ alarms: 'open' })],
  ];
  return (
    <Card flush>
      <ul className={s.figures} aria-busy={!n}>
        {figures.map(([name, v, href]) => (
          <li key={name}>
            <Link href={href}>
              <b>{v === undefined ? '–' : `${count(v)}${n?.more ? '+' : ''}`}</b>
              <span>{name}</span>
            </Link>
          </li>
        ))}
      </ul>
    </Card>
  );
}
