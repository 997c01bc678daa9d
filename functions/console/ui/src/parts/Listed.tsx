import type { ReactNode } from 'react';
import { Button } from './Button';
import s from './Listed.module.css';
import { Failure, Skeleton } from './States';

/** What a list must know of how it is read; TanStack's queries have it. */
export interface Reading {
  isPending: boolean;
  error: unknown;
  data: unknown;
  refetch: () => unknown;
}

/** A list in a flush card: what stands there while it is read, why it could not be, what it means that nothing is there, or the list. */
export function Listed({
  query: q,
  count,
  empty,
  what,
  lines = 4,
  height,
  children,
}: {
  query: Reading;
  /** How many there are to be shown. */
  count: number;
  empty: ReactNode;
  /** What it says when it could not be read. */
  what?: string;
  /** Of the skeleton. */
  lines?: number;
  height?: number;
  children: ReactNode;
}) {
  if (q.isPending)
    return (
      <div className={s.waiting}>
        <Skeleton lines={lines} height={height} />
      </div>
    );
  // What was read before is shown still: it says more than an error does.
  if (q.error && q.data === undefined) return <Failure error={q.error} what={what} retry={() => void q.refetch()} />;
  return count === 0 ? empty : children;
}

/** The end of a list that goes on. */
export function More({ busy, onClick, children }: { busy?: boolean; onClick: () => void; children: ReactNode }) {
  return (
    <div className={s.more}>
      <Button size="s" kind="quiet" busy={busy} onClick={onClick}>
        {children}
      </Button>
    </div>
  );
}
