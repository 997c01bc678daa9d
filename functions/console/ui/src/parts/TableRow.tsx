import { type MouseEvent, memo, type ReactNode } from 'react';
import { cx } from './cx';
import type { Column, RowCells } from './VirtualTable';
import s from './VirtualTable.module.css';

// biome-ignore-start lint/a11y/useSemanticElements: see VirtualTable
// biome-ignore-start lint/a11y/useFocusableInteractive: see VirtualTable
// biome-ignore-start lint/a11y/useKeyWithClickEvents: for the keyboard there is the row's link

/** One row at its place; drawn anew only if something about it changed, so that scrolling costs what comes into sight. */
export const TableRow = memo(function TableRow({
  index,
  top,
  height,
  row,
  columns,
  template,
  Cells,
  open,
  tabIndex,
}: {
  index: number;
  top: number;
  height: number;
  row: unknown;
  columns: readonly Column[];
  template: string;
  Cells: RowCells<unknown>;
  open: (row: unknown) => void;
  tabIndex: number;
}) {
  const clicked = (e: MouseEvent) => {
    // Links and buttons do what they do; and who selects text does not want to go anywhere.
    if ((e.target as HTMLElement).closest('a, button') || getSelection()?.type === 'Range') return;
    open(row);
  };
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      data-index={index}
      className={cx(s.row, s.line)}
      style={{ gridTemplateColumns: template, height, transform: `translateY(${top}px)` }}
      onClick={row === undefined ? undefined : clicked}
    >
      {row === undefined ? (
        columns.map((c, i) => (
          <Cell key={c.id}>
            <span className={cx(s.waiting, i === 0 && s.wide)} />
          </Cell>
        ))
      ) : (
        <Cells row={row} columns={columns} tabIndex={tabIndex} />
      )}
    </div>
  );
});

/** One cell; what does not fit is cut off. */
export function Cell({ right, children }: { right?: boolean; children?: ReactNode }) {
  return (
    <div role="cell" className={cx(s.cell, right && s.right)}>
      {children}
    </div>
  );
}
// biome-ignore-end lint/a11y/useKeyWithClickEvents: see above
// biome-ignore-end lint/a11y/useFocusableInteractive: see above
// biome-ignore-end lint/a11y/useSemanticElements: see above
