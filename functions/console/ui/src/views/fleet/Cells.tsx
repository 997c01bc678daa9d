import { BellRing } from 'lucide-react';
import { createContext, type ReactNode, use } from 'react';
import { Link } from 'wouter';
import type { Severity, Twin } from '@/api/types';
import { online, useLiveTwin } from '@/live/twins';
import { Badge, PhaseBadge, PresenceDot, toneOf } from '@/parts/Badge';
import { count, plural, quantity } from '@/parts/format';
import { alarmsHref, fleetHref, pageHref } from '@/parts/links';
import { Cell } from '@/parts/TableRow';
import { Time } from '@/parts/Time';
import type { Column } from '@/parts/VirtualTable';
import s from './Cells.module.css';
import { newest } from './reading';
import type { TypeInfo } from './useTypes';

/** What rows need to know besides their twin. */
interface Around {
  types: ReadonlyMap<string, TypeInfo>;
  /** Instances by type. */
  byType: ReadonlyMap<string, number>;
  /** The worst open alarm by twin; not all may be known. */
  severity: ReadonlyMap<string, Severity>;
}

export const AroundRows = createContext<Around>({ types: new Map(), byType: new Map(), severity: new Map() });

/** The cells of one twin, which move as it is heard from. */
export function TwinCells({ row, columns, tabIndex }: { row: Twin; columns: readonly Column[]; tabIndex: number }) {
  const t = useLiveTwin(row);
  const around = use(AroundRows);
  const look: Look = { tabIndex, withId: !columns.some((c) => c.id === 'id') };
  return columns.map((c) => (
    <Cell key={c.id} right={c.right}>
      {draw[c.id]?.(t, around, look)}
    </Cell>
  ));
}

interface Look {
  /** Of the row's link. */
  tabIndex: number;
  /** The id stands beside the name, since it has no column of its own. */
  withId: boolean;
}

const seen = (t: Twin) => t.live.presence.lastSeen;
const raised = (t: Twin) => t.live.rules?.filter((r) => r.active) ?? [];

const draw: Record<string, (t: Twin, around: Around, look: Look) => ReactNode> = {
  name: (t, _, look) => <Name t={t} look={look} />,
  id: (t) => <code className={s.id}>{t.id}</code>,
  type: (t, { types }) => <Type t={t} types={types} />,
  phase: (t) => <Phase t={t} />,
  presence: (t) => <PresenceDot online={online(t)} seen={!!seen(t)} />,
  reading: (t, { types }) => <NewestReading t={t} types={types} />,
  lastSeen: (t) => <span className={s.soft}>{seen(t) ? <Time at={seen(t)} /> : '–'}</span>,
  alarms: (t, { severity }) => <Alarms t={t} severity={severity} />,
  owner: (t) => <bdi className={s.soft}>{t.definition.owner}</bdi>,
  tags: (t) => <Tags tags={t.definition.tags ?? []} />,
  created: (t) => (
    <span className={s.soft}>
      <Time at={t.created} />
    </span>
  ),
  instances: (t, { byType }) => (
    <Link className={s.number} href={fleetHref({ type: t.id })}>
      {count(byType.get(t.id) ?? 0)}
      <span className="visually-hidden"> devices</span>
    </Link>
  ),
  properties: (t, { types }) => (
    <bdi className={s.soft}>{[...(types.get(t.id)?.properties.keys() ?? [])].join(', ') || '–'}</bdi>
  ),
  offlineAfter: (t) => <span className={s.soft}>{t.definition.model?.offlineAfter || '–'}</span>,
  members: (t) => (
    <Link className={s.number} href={fleetHref({ aggregate: t.id })}>
      Show
      <span className="visually-hidden"> its devices</span>
    </Link>
  ),
  summary: (t, around, look) => <Summary t={t} around={around} tabIndex={look.tabIndex} />,
};

function Name({ t, look }: { t: Twin; look: Look }) {
  const name = t.definition.name;
  return (
    <Link className={s.name} href={pageHref(t)} data-row-link tabIndex={look.tabIndex} title={name || t.id}>
      <bdi>{name || t.id}</bdi>
      {look.withId && name && name !== t.id && <span className={s.also}>{t.id}</span>}
    </Link>
  );
}

/** What is as it should be is not coloured, so that the rest is seen. */
function Phase({ t }: { t: Twin }) {
  const phase = t.definition.phase;
  return phase === 'operational' ? <span className={s.soft}>{phase}</span> : <PhaseBadge phase={phase} />;
}

function Type({ t, types }: { t: Twin; types: Around['types'] }) {
  const type = t.definition.type;
  if (!type) return null;
  return (
    <bdi className={s.soft} title={types.get(type)?.name}>
      {type}
    </bdi>
  );
}

function NewestReading({ t, types }: { t: Twin; types: Around['types'] }) {
  const properties = types.get(t.definition.type ?? '')?.properties;
  const r = newest(t, properties);
  if (!r) return <span className={s.none}>–</span>;
  const { text, sign } = quantity(r.value, properties?.get(r.property)?.unit);
  return (
    <span className={s.reading}>
      <bdi className={s.value}>
        {text}
        {sign && <span className={s.unit}> {sign}</span>}
      </bdi>
      <bdi className={s.property}>{r.property}</bdi>
    </span>
  );
}

function Alarms({ t, severity }: { t: Twin; severity: Around['severity'] }) {
  const all = raised(t);
  if (all.length === 0) return <span className="visually-hidden">none</span>;
  const titles = all.map((r) => r.title || r.rule).join('\n');
  return (
    <Link href={alarmsHref(t.id)} title={titles.slice(0, 500)} tabIndex={-1}>
      <Badge tone={toneOf(severity.get(t.id) ?? 'warning')}>
        <BellRing className={s.bell} aria-hidden />
        {all.length}
        <span className="visually-hidden"> open</span>
      </Badge>
    </Link>
  );
}

function Tags({ tags }: { tags: readonly string[] }) {
  if (tags.length === 0) return null;
  return (
    <span className={s.tags} title={tags.join(', ').slice(0, 500)}>
      {tags.slice(0, 3).map((tag) => (
        <bdi key={tag} className={s.tag}>
          {tag}
        </bdi>
      ))}
      {tags.length > 3 && <span className={s.none}>+{tags.length - 3}</span>}
    </span>
  );
}

/** A row on a phone: who and when above, what below. */
function Summary({ t, around, tabIndex }: { t: Twin; around: Around; tabIndex: number }) {
  const name = t.definition.name;
  const device = t.kind === 'instance';
  return (
    <div className={s.summary}>
      <div className={s.first}>
        {device && <PresenceDot online={online(t)} seen={!!seen(t)} label={false} />}
        <Link className={s.name} href={pageHref(t)} data-row-link tabIndex={tabIndex}>
          <bdi>{name || t.id}</bdi>
        </Link>
        {device && raised(t).length > 0 && <Alarms t={t} severity={around.severity} />}
        <span className={s.when}>{seen(t) ? <Time at={seen(t)} /> : device ? 'never seen' : ''}</span>
      </div>
      <div className={s.second}>
        {device && t.definition.phase !== 'operational' && <PhaseBadge phase={t.definition.phase} />}
        <bdi className={s.kind}>{device ? t.definition.type : t.id}</bdi>
        {device && <NewestReading t={t} types={around.types} />}
        {t.kind === 'type' && <span className={s.soft}>{plural(around.byType.get(t.id) ?? 0, 'device')}</span>}
      </div>
    </div>
  );
}
