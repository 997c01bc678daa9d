import { useVirtualizer } from '@tanstack/react-virtual';
import { SlidersHorizontal, TriangleAlert } from 'lucide-react';
import { memo, useRef, useState } from 'react';
import { Link } from 'wouter';
import type { Property, Reading, Twin } from '@/api/types';
import { Card } from '@/parts/Card';
import { cx } from '@/parts/cx';
import { TextField } from '@/parts/Field';
import { count, quantity } from '@/parts/format';
import { newRuleHref } from '@/parts/links';
import { useMayWrite } from '@/parts/may';
import { Time } from '@/parts/Time';
import { Tooltip } from '@/parts/Tooltip';
import s from './Reported.module.css';

// biome-ignore-start lint/a11y/useSemanticElements: elements of a table that are laid out one by one lose their roles
// biome-ignore-start lint/a11y/useFocusableInteractive: rows have links in them, which take the focus

const many = 20; // rows from which on the table scrolls by itself and can be searched
const rowHeight = () => (matchMedia('(max-width: 720px)').matches ? 56 : 40); // as the style sheet says

const doubts = new Map([
  ['clock-ahead', 'The device’s clock is ahead: the time is when it arrived.'],
  ['clock-unset', 'The device’s clock is not set: the time is when it arrived.'],
  ['unexpected', 'Not of the kind, or none of the values, that its type says.'],
  ['out-of-range', 'Outside of the range that its type says.'],
  ['unknown', 'Its type does not name this property.'],
]);

/** The newest of everything that a device reports. */
export function Reported({ twin, properties }: { twin: Twin; properties: Property[] }) {
  const [words, setWords] = useState('');
  const box = useRef<HTMLDivElement>(null);
  const units = new Map(properties.map((p) => [p.name, p.unit]));
  const may = useMayWrite(twin.id, twin.definition.owner);
  const all = twin.live.reported ?? [];
  const rows = words ? all.filter((r) => r.property.toLowerCase().includes(words.toLowerCase())) : all;
  const scrolls = all.length > many;
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: rowHeight,
    overscan: 8,
    enabled: scrolls,
  });
  const items = scrolls
    ? virtual.getVirtualItems().map((v) => ({ reading: rows[v.index]!, top: v.start }))
    : rows.map((reading) => ({ reading, top: undefined }));
  return (
    <Card
      title="Reported state"
      note={all.length === 1 ? '1 property' : `${count(all.length)} properties`}
      flush
      actions={
        scrolls && (
          <TextField
            label="Search the properties"
            bare
            type="search"
            placeholder="Search"
            value={words}
            onChange={(e) => setWords(e.target.value)}
          />
        )
      }
    >
      <div ref={box} className={cx(s.box, scrolls && s.scrolls)} {...(scrolls && { tabIndex: 0 })}>
        <div
          role="table"
          aria-label="Reported state"
          aria-rowcount={rows.length}
          className={s.table}
          style={scrolls ? { height: virtual.getTotalSize() } : undefined}
        >
          {items.map(({ reading: r, top }) => (
            <Row
              key={r.property}
              twin={may ? twin.id : undefined}
              property={r.property}
              value={r.value}
              at={r.at}
              flag={r.flag}
              unit={units.get(r.property)}
              top={top}
            />
          ))}
        </div>
        {rows.length === 0 && <p className={s.none}>No property is called so.</p>}
      </div>
    </Card>
  );
}

const Row = memo(function Row({
  twin,
  property,
  value: v,
  at,
  flag,
  unit,
  top,
}: Pick<Reading, 'property' | 'value' | 'at' | 'flag'> & { twin: string | undefined; unit?: string; top?: number }) {
  const { text: shown, sign } = quantity(v, unit);
  return (
    <div role="row" className={s.row} style={top === undefined ? undefined : { position: 'absolute', top }}>
      <span role="cell" className={s.name}>
        <bdi title={property}>{property}</bdi>
      </span>
      <span role="cell" className={s.value}>
        {flag && (
          <Tooltip text={doubts.get(flag) ?? flag}>
            <span className={s.doubt}>
              <TriangleAlert aria-hidden /> {flag}
            </span>
          </Tooltip>
        )}
        <bdi title={shown.length > 40 ? shown.slice(0, 2000) : undefined}>{shown.slice(0, 2000)}</bdi>
        <span className={s.unit}>{sign}</span>
      </span>
      <span role="cell" className={s.when}>
        <Time at={at} />
      </span>
      <span role="cell" className={s.do}>
        {typeof v === 'number' && twin !== undefined && (
          <Link
            href={newRuleHref(twin, property)}
            className={s.link}
            aria-label={`Set a threshold for ${property}`}
            title="Set a threshold"
          >
            <SlidersHorizontal aria-hidden />
          </Link>
        )}
      </span>
    </div>
  );
});
// biome-ignore-end lint/a11y/useFocusableInteractive: see above
// biome-ignore-end lint/a11y/useSemanticElements: see above
