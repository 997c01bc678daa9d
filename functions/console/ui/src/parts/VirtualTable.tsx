import { defaultRangeExtractor, useWindowVirtualizer } from '@tanstack/react-virtual';
import { ArrowDown, ArrowUp } from 'lucide-react';
import { type ComponentType, type KeyboardEvent, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { cx } from './cx';
import { TableRow } from './TableRow';
import { useFit, useFrame } from './tableLayout';
import { useEntry } from './useEntry';
import { useSteady } from './useSteady';
import s from './VirtualTable.module.css';

// biome-ignore-start lint/a11y/useSemanticElements: elements of a table that are laid out one by one lose their roles
// biome-ignore-start lint/a11y/useFocusableInteractive: rows and headings have links and buttons in them, which take the focus

/** A column of a table; `width` is the least it can do with, `grow` its share of what is left. */
export interface Column {
  id: string;
  heading: string;
  width: number;
  grow?: number;
  /** The more, the sooner it is left out where there is no room for all. */
  spare?: number;
  right?: boolean;
  /** What the platform sorts by; without it the heading cannot be clicked. */
  sort?: string;
  /** Sorts from the greatest down at first, as newest first. */
  down?: boolean;
}

/** Draws the cells of a row, each in a `<Cell>`. Exactly one link in it has `data-row-link`, and `tabIndex` as given. */
export type RowCells<T> = ComponentType<{ row: T; columns: readonly Column[]; tabIndex: number }>;

/**
 * A table of any length that scrolls with the page; only rows in sight are drawn. Rows have the height --row. The columns that find
 * no room are left out. Arrow keys, Home, End and Page keys walk the rows' links; arrows lead there from anywhere.
 */
export function VirtualTable<T>({
  label,
  columns,
  total,
  at,
  keyOf,
  see,
  Cells,
  open,
  sort,
  onSort,
  dim,
}: {
  label: string;
  columns: readonly Column[];
  total: number;
  /** The row at a place; undefined while it is being read. */
  at: (row: number) => T | undefined;
  keyOf: (row: T) => string;
  /** Tells which rows are in sight. */
  see: (first: number, last: number) => void;
  Cells: RowCells<T>;
  /** Opens a row that was clicked beside its link. */
  open: (row: T) => void;
  /** The order, as the platform has it: a column's `sort`, with "-" before it for the other way round. */
  sort: string;
  onSort: (sort: string) => void;
  /** The rows are about to be replaced. */
  dim?: boolean;
}) {
  const table = useRef<HTMLDivElement>(null);
  const body = useRef<HTMLDivElement>(null);
  const { height, top, head, foot } = useFrame(body);
  const { fitting, template } = useFit(table, columns);
  const [active, setActive] = useState(0);
  const walking = useRef(false);

  const virtual = useWindowVirtualizer({
    count: total,
    estimateSize: () => height,
    overscan: 8,
    scrollMargin: top,
    scrollPaddingStart: head,
    scrollPaddingEnd: foot,
    // The row that has the focus stays, wherever the page is scrolled to.
    rangeExtractor: (r) => {
      const seen = defaultRangeExtractor(r);
      return active < total && !seen.includes(active) ? [active, ...seen].sort((a, b) => a - b) : seen;
    },
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: a changed height makes all measures void
  useLayoutEffect(() => virtual.measure(), [height]);

  const range = virtual.range;
  const from = range?.startIndex ?? 0;
  const to = range?.endIndex ?? 0;
  useEffect(() => see(from, to), [see, from, to]);
  useSteady(from, top, height, at, keyOf);

  useEffect(() => {
    if (!walking.current) return;
    const link = body.current?.querySelector<HTMLElement>(`[data-index="${active}"] [data-row-link]`);
    if (!link) return; // its row is still being read
    walking.current = false;
    const at = document.activeElement;
    // Meanwhile the focus may have gone elsewhere; of a row that is not drawn any more, it went nowhere.
    if (at === document.body || table.current?.contains(at)) link.focus({ preventScroll: true });
  });
  const pressed = (e: KeyboardEvent) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.shiftKey) return;
    const focused = (e.target as HTMLElement).closest<HTMLElement>('[data-index]');
    if (!focused) return;
    const i = Number(focused.dataset.index);
    const page = Math.max(1, to - from - 1);
    const steps: Record<string, number> = {
      ArrowDown: i + 1,
      ArrowUp: i - 1,
      PageDown: i + page,
      PageUp: i - page,
      Home: 0,
      End: total - 1,
    };
    const step = steps[e.key];
    if (step === undefined) return;
    e.preventDefault();
    const next = Math.min(total - 1, Math.max(0, step));
    if (next === i) return;
    walking.current = true;
    setActive(next);
    virtual.scrollToIndex(next);
  };
  // Where the focus would enter: the row it was in last, or the first in sight.
  const entry = active >= from && active <= to ? active : from;
  useEntry(() => body.current?.querySelector<HTMLElement>(`[data-index="${entry}"] [data-row-link]`));

  return (
    <div
      ref={table}
      role="table"
      aria-label={label}
      aria-rowcount={total + 1}
      aria-busy={dim}
      className={s.table}
      onKeyDown={pressed}
    >
      <div role="rowgroup" className={s.head}>
        <div role="row" aria-rowindex={1} className={s.row} style={{ gridTemplateColumns: template }}>
          {fitting.map((c) => (
            <Heading key={c.id} column={c} sort={sort} onSort={onSort} />
          ))}
        </div>
      </div>
      <div
        ref={body}
        role="rowgroup"
        className={cx(s.body, dim && s.dim)}
        style={{ height: virtual.getTotalSize() }}
        onFocus={(e) => {
          const row = (e.target as HTMLElement).closest<HTMLElement>('[data-index]');
          if (row) setActive(Number(row.dataset.index));
        }}
      >
        {virtual.getVirtualItems().map((v) => (
          <TableRow
            key={v.key}
            index={v.index}
            top={v.start - top}
            height={height}
            row={at(v.index)}
            columns={fitting}
            template={template}
            Cells={Cells as RowCells<unknown>}
            open={open as (row: unknown) => void}
            tabIndex={v.index === entry ? 0 : -1}
          />
        ))}
      </div>
    </div>
  );
}

function Heading({ column: c, sort, onSort }: { column: Column; sort: string; onSort: (sort: string) => void }) {
  const by = sort.replace(/^-/, '');
  const sorted = !!c.sort && by === c.sort;
  const down = sort.startsWith('-');
  const first = c.down ? `-${c.sort}` : (c.sort ?? '');
  const second = c.down ? (c.sort ?? '') : `-${c.sort}`;
  // The third click gives the order back that the list has by itself.
  const next = !sorted ? first : sort === first ? second : '';
  const Arrow = down ? ArrowDown : ArrowUp;
  return (
    <div
      role="columnheader"
      aria-sort={sorted ? (down ? 'descending' : 'ascending') : undefined}
      className={cx(s.heading, c.right && s.right)}
    >
      {c.sort ? (
        <button type="button" className={cx(s.sort, sorted && s.sorted)} onClick={() => onSort(next)}>
          <span>{c.heading}</span>
          <Arrow aria-hidden className={s.arrow} />
        </button>
      ) : (
        <span className={s.word}>{c.heading}</span>
      )}
    </div>
  );
}

// biome-ignore-end lint/a11y/useFocusableInteractive: see above
// biome-ignore-end lint/a11y/useSemanticElements: see above
