import { useQuery } from '@tanstack/react-query';
import { BellRing } from 'lucide-react';
import { api, ok } from '@/api/client';
import type { Severity } from '@/api/types';
import { CopyButton } from '@/parts/Copy';
import { has, useUser } from '@/parts/useUser';
import { severities } from '@/parts/words';
import s from './Told.module.css';

const command = 'castor route create --email you@example.com --cleared';

/** Who is told of alarms: the routes that the reader may see; with a severity, only those it reaches. Nothing for roles that have no routes. */
export function Told({ severity, target }: { severity?: Severity; target?: string }) {
  const may = has(useUser(), 'maintainer', 'configurator', 'owner');
  const routes = useQuery({
    queryKey: ['routes'],
    queryFn: ({ signal }) => ok(api.GET('/function/alerts/routes', { params: { query: { limit: 100 } }, signal })),
    enabled: may,
  });
  if (!may || !routes.data) return null;
  const reached = routes.data.items.filter(
    (r) =>
      (!severity || severities.indexOf(severity) <= severities.indexOf(r.severity || 'info')) &&
      (!target || !r.twin || r.twin === target),
  );
  const names = [...new Set(reached.flatMap((r) => [...(r.email ?? []), ...(r.webhook ? [host(r.webhook)] : [])]))];
  return (
    <p className={s.told}>
      <BellRing aria-hidden />
      <span className={s.text}>
        {names.length === 0 ? (
          'Nobody is told by e-mail or webhook: alarms show here only.'
        ) : (
          <>
            Told by e-mail or webhook: <bdi>{names.slice(0, 4).join(', ')}</bdi>
            {names.length > 4 && ` and ${names.length - 4} more`}.
          </>
        )}{' '}
        To tell somebody:
      </span>
      <span className={s.command}>
        <code>{command}</code>
        <CopyButton text={command} label="Copy the command" />
      </span>
    </p>
  );
}

function host(url: string): string {
  try {
    return new URL(url).host;
  } catch {
    return 'a webhook';
  }
}
