import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import { Card } from '@/parts/Card';
import { cx } from '@/parts/cx';
import { count, plural } from '@/parts/format';
import { Skeleton } from '@/parts/States';
import { phases, severities } from '@/parts/words';
import s from './Figures.module.css';
import { Provisioning } from './Provisioning';
import type { Filters } from './useFilters';
import { useCounts } from './useRows';

/** The whole fleet in figures; most of them filter the table. */
export function Figures({ filters }: { filters: Filters }) {
  const c = useCounts().data;
  return (
    <Card flush label="Figures of the whole fleet">
      <div className={s.strip}>
        {c ? (
          <>
            <Figure label="Devices">
              <span className={s.figure}>
                {count(c.instances)}
                {c.more && '+'}
              </span>
              <span className={s.note}>
                {plural(c.types, 'type')}
                {c.aggregates > 0 && `, ${plural(c.aggregates, 'aggregate')}`}
              </span>
            </Figure>
            <Figure label="Presence">
              <Share filters={filters} name="presence" value="online" n={c.online} tone={s.ok}>
                online
              </Share>
              <Share filters={filters} name="presence" value="offline" n={c.offline + c.neverSeen}>
                not online
              </Share>
              <span className={s.note}>{c.neverSeen > 0 ? `${count(c.neverSeen)} never seen` : ' '}</span>
              <span className={s.bar} aria-hidden>
                <span style={{ width: `${c.instances ? (100 * c.online) / c.instances : 0}%` }} />
              </span>
            </Figure>
            <Figure label="Phase">
              <div className={s.phases}>
                {phases
                  .filter((p) => c.phases[p] || p === 'operational' || filters.get('phase') === p)
                  .map((p) => (
                    <Share key={p} filters={filters} name="phase" value={p} n={c.phases[p] ?? 0}>
                      {p}
                    </Share>
                  ))}
              </div>
            </Figure>
            <OpenAlarms />
          </>
        ) : (
          <div className={s.waiting}>
            <Skeleton lines={3} />
          </div>
        )}
        <Provisioning />
      </div>
    </Card>
  );
}

function Figure({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className={s.cell}>
      <h2 className={s.label}>{label}</h2>
      {children}
    </div>
  );
}

/** A part of the fleet; clicked, the table shows only that, and clicked again, all. */
function Share({
  filters,
  name,
  value,
  n,
  tone,
  children,
}: {
  filters: Filters;
  name: 'presence' | 'phase';
  value: string;
  n: number;
  tone?: string;
  children: ReactNode;
}) {
  const on = filters.kind === 'devices' && filters.get(name) === value;
  return (
    <button
      type="button"
      className={cx(s.share, on && s.on)}
      aria-pressed={on}
      onClick={() => filters.set({ kind: 'devices', [name]: on ? '' : value })}
    >
      <b className={tone}>{count(n)}</b> {children}
    </button>
  );
}

function OpenAlarms() {
  const { data: c, isError } = useQuery({
    queryKey: keys.alarms({ counted: true }),
    queryFn: ({ signal }) => ok(api.GET('/function/alerts/counts', { signal })),
  });
  const open = severities
    .map((severity) => ({ severity, n: (c?.raised[severity] ?? 0) + (c?.acknowledged[severity] ?? 0) }))
    .filter((o) => o.n > 0);
  return (
    <Figure label="Open alarms">
      {!c ? (
        <span className={s.note}>{isError ? 'Could not be read.' : '…'}</span>
      ) : open.length === 0 ? (
        <>
          <span className={s.figure}>0</span>
          <span className={s.note}>all quiet</span>
        </>
      ) : (
        <div className={s.phases}>
          {open.map(({ severity, n }) => (
            <Link key={severity} className={s.share} href={`/alarms?severity=${severity}`}>
              <span className={cx(s.dot, s[severity])} aria-hidden />
              <b>
                {count(n)}
                {c.more && '+'}
              </b>{' '}
              {severity}
            </Link>
          ))}
        </div>
      )}
    </Figure>
  );
}
