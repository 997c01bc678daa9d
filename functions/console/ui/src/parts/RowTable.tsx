import type { ComponentProps } from 'react';
import { cx } from './cx';
import s from './RowTable.module.css';

/** A table of a list in a flush card; on a phone each row becomes a grid, in which the view's style sheet places the cells. */
export function RowTable({ className, ...rest }: ComponentProps<'table'>) {
  return <table {...rest} className={cx(s.table, className)} />;
}
