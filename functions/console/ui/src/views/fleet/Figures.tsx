import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { useOpenAlarms } from '@/app/useOpenAlarms';
import { cx } from '@/parts/cx';
import { count } from '@/parts/format';
import { Skeleton } from '@/parts/States';
import s from './Figures.module.css';
import { Provisioning } from './Provisioning';
import type { Filters } from './useFilters';
import { useCounts } from './useRows';

const phases = ['onboarding', 'provisioning', 'operational', 'suspended', 'retired'] as const;
const severities = ['critical', 'warning', 'info'] as const;

/** The whole fleet in figures; most of them filter the table. */
export function Figures({ filters }: { filters: Filters }) {
  const c = useCounts().data;
  return (
    <section className={s.strip} aria-label="Figures of the whole fleet">
      {c ? (
        <>
          <Figure label="Devices">
            <span className={s.figure}>
              {count(c.instances)}
              {c.more && '+'}
            </span>
            <span className={s.note}>
              {plural(c.types, 'type')}
              {c.aggregates > 0 && `, ${plural(c.aggregates, 'group')}`}
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
    </section>
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
  const open = useOpenAlarms().data;
  const of = (severity: string) => open?.items.filter((a) => a.severity === severity).length ?? 0;
  return (
    <Figure label="Open alarms">
      {!open ? (
        <span className={s.note}>…</span>
      ) : open.items.length === 0 ? (
        <>
          <span className={s.figure}>0</span>
          <span className={s.note}>all quiet</span>
        </>
      ) : (
        <div className={s.phases}>
          {severities
            .filter((v) => of(v) > 0)
            .map((v) => (
              <Link key={v} className={s.share} href={`/alarms?severity=${v}`}>
                <span className={cx(s.dot, s[v])} aria-hidden />
                <b>
                  {count(of(v))}
                  {open.next && '+'}
                </b>{' '}
                {v}
              </Link>
            ))}
        </div>
      )}
    </Figure>
  );
}

const plural = (n: number, word: string) => `${count(n)} ${word}${n === 1 ? '' : 's'}`;
