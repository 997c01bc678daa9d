import { Boxes, Cpu, SearchX, Shapes } from 'lucide-react';
import { type ReactNode, useMemo } from 'react';
import { useLocation } from 'wouter';
import type { Alarm, Severity } from '@/api/types';
import { useOpenAlarms } from '@/app/useOpenAlarms';
import { Button, ButtonLink } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { count } from '@/parts/format';
import { pageHref } from '@/parts/links';
import { Empty, Failure, Skeleton } from '@/parts/States';
import { useMedia } from '@/parts/useMedia';
import { areTexts, useStored } from '@/parts/useStored';
import { VirtualTable } from '@/parts/VirtualTable';
import { worstFirst } from '@/parts/words';
import { AroundRows, TwinCells } from './Cells';
import { hiddenAtFirst, narrow, shown } from './columns';
import type { Way } from './ends';
import s from './FleetTable.module.css';
import { Toolbar } from './Toolbar';
import type { Filters, Kind } from './useFilters';
import { type Rows, useCounts, useRows } from './useRows';
import { useTypes } from './useTypes';

const words: Record<Kind, [one: string, many: string]> = {
  devices: ['device', 'devices'],
  types: ['type', 'types'],
  groups: ['aggregate', 'aggregates'],
};
const phone = '(max-width: 720px)';

/** The twins that the filters find, with what chooses them. */
export function FleetTable({ filters }: { filters: Filters }) {
  const { kind, sort } = filters;
  const [, go] = useLocation();
  const [hidden, setHidden] = useStored<readonly string[]>('fleet.hidden', hiddenAtFirst, areTexts);
  const { types, readings } = useTypes();
  const query = useMemo(
    () => (kind === 'devices' && readings ? { ...filters.query, readings } : filters.query),
    [kind, readings, filters.query],
  );
  const all = useCounts().data;
  const counts = useCounts(query).data;
  const counted = counts
    ? { devices: counts.instances, types: counts.types, groups: counts.aggregates }[kind]
    : undefined;
  const rows = useRows(query, counted, counts?.more ?? false);
  const small = useMedia(phone);
  const columns = useMemo(() => (small ? narrow : shown(kind, hidden)), [small, kind, hidden]);
  const byType = all?.byType;
  const alarms = useOpenAlarms().data;
  const around = useMemo(
    () => ({ types, byType: new Map(Object.entries(byType ?? {})), severity: worst(alarms?.items ?? []) }),
    [types, byType, alarms],
  );

  return (
    <Card flush label={words[kind][1]}>
      <Toolbar
        filters={filters}
        types={types}
        byType={around.byType}
        tags={tagsOf(rows)}
        hidden={hidden}
        onHidden={setHidden}
      />
      {rows.error && rows.total === 0 ? (
        <Failure
          error={rows.error}
          retry={sort ? () => filters.set({ sort: '' }) : rows.retry}
          what={sort ? 'These cannot be read in this order' : undefined}
        />
      ) : rows.loading ? (
        <div className={s.waiting}>
          <Skeleton lines={8} height={22} />
        </div>
      ) : rows.total === 0 ? (
        <Nothing filters={filters} />
      ) : (
        <AroundRows value={around}>
          <VirtualTable
            label={words[kind][1]}
            columns={columns}
            total={rows.total}
            at={rows.at}
            keyOf={(t) => t.id}
            see={rows.see}
            Cells={TwinCells}
            open={(t) => go(pageHref(t))}
            sort={sort}
            onSort={(next) => filters.set({ sort: next })}
            dim={rows.changing}
          />
          {rows.way && <OnTheWay way={rows.way} />}
        </AroundRows>
      )}
      <footer className={s.foot}>
        <p role="status">
          {rows.loading
            ? ' '
            : `${count(rows.count)}${rows.more ? '+' : ''} ${words[kind][rows.count === 1 ? 0 : 1]}${filters.any ? ' match' : ''}`}
        </p>
        {rows.error && rows.total > 0 ? (
          <p className={s.bad}>
            Some could not be read.{' '}
            <Button size="s" onClick={rows.retry}>
              Try again
            </Button>
          </p>
        ) : null}
      </footer>
    </Card>
  );
}

const nothing: Record<Kind, { icon: ReactNode; title: string; text: string; action?: ReactNode }> = {
  devices: {
    icon: <Cpu aria-hidden />,
    title: 'No devices yet',
    text: 'A device is listed here as soon as it has come in with its claim.',
    action: <ButtonLink href="/enrol">Enrol a device</ButtonLink>,
  },
  types: {
    icon: <Shapes aria-hidden />,
    title: 'No types yet',
    text: 'A type says what all devices of a kind have in common: their properties, how they are provisioned, when they count as offline.',
    action: <ButtonLink href="/enrol">Enrol a device</ButtonLink>,
  },
  groups: {
    icon: <Boxes aria-hidden />,
    title: 'No aggregates yet',
    text: 'An aggregate holds twins together that belong together: a line, a building, a site. Make one from a file that says its id, “kind: aggregate” and its owner: castor twin apply -f line-2.yaml',
  },
};

function Nothing({ filters }: { filters: Filters }) {
  if (filters.any)
    return (
      <Empty
        icon={<SearchX aria-hidden />}
        title="Nothing matches"
        action={<Button onClick={filters.clear}>Clear the filters</Button>}
      >
        No {words[filters.kind][0]} that you may see fits these filters.
      </Empty>
    );
  const n = nothing[filters.kind];
  return (
    <Empty icon={n.icon} title={n.title} action={n.action}>
      {n.text}
    </Empty>
  );
}

/** Stands in sight while rows are read that lie before those in sight. */
function OnTheWay({ way }: { way: Way }) {
  return (
    <div className={s.way} role="status">
      <span>Reading the rows up to here</span>
      <progress value={way.read} max={way.of} aria-label="Rows on the way" />
    </div>
  );
}

/** The worst open alarm of each twin, as far as they are known here. */
function worst(alarms: readonly Alarm[]): ReadonlyMap<string, Severity> {
  const by = new Map<string, Severity>();
  for (const a of [...alarms].sort(worstFirst).reverse()) by.set(a.twin, a.severity);
  return by;
}

/** The tags of the first rows, most frequent first: something to choose from. */
function tagsOf(rows: Rows): string[] {
  const n = new Map<string, number>();
  for (let i = 0; i < Math.min(rows.total, 200); i++)
    for (const tag of rows.at(i)?.definition.tags ?? []) n.set(tag, (n.get(tag) ?? 0) + 1);
  return [...n]
    .sort((a, b) => b[1] - a[1])
    .map(([tag]) => tag)
    .slice(0, 10);
}
