import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import { count } from '@/parts/format';
import s from './About.module.css';

/** How many twins are below a type or group, each number leading to them in the fleet. */
export function Members({ filter, what }: { filter: { type?: string; aggregate?: string }; what: string }) {
  const { data: n } = useQuery({
    queryKey: keys.counts(filter),
    queryFn: ({ signal }) => ok(api.GET('/function/twins/counts', { params: { query: filter }, signal })),
  });
  const to = (more: Record<string, string>) =>
    `/?${new URLSearchParams({ ...(filter as Record<string, string>), ...more }).toString()}`;
  const figures: [string, number | undefined, string][] = [
    [what, n?.instances, to({})],
    ['online', n?.online, to({ online: 'true' })],
    ['offline', n && n.offline + n.neverSeen, to({ online: 'false' })],
    ['with open alarms', n?.alarms, to({ alarms: 'open' })],
  ];
  return (
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
  );
}
