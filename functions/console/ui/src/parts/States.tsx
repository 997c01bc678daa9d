import { AlertTriangle } from 'lucide-react';
import type { ReactNode } from 'react';
import { ApiError, reasonOf } from '@/api/problem';
import { Button } from './Button';
import { cx } from './cx';
import s from './States.module.css';

/** Nothing is there yet: says why and what to do. */
export function Empty({
  icon,
  title,
  children,
  action,
}: {
  icon?: ReactNode;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}) {
  return (
    <div className={s.state}>
      {icon && <div className={s.mark}>{icon}</div>}
      <h3>{title}</h3>
      {children && <p>{children}</p>}
      {action}
    </div>
  );
}

/** Something could not be read or done: what, why, and again. */
export function Failure({
  error,
  retry,
  what = 'This could not be read',
}: {
  error: unknown;
  retry?: () => void;
  what?: string;
}) {
  return (
    <div className={s.state} role="alert">
      <div className={cx(s.mark, s.bad)}>
        <AlertTriangle aria-hidden />
      </div>
      <h3>{what}</h3>
      <p>{reasonOf(error)}</p>
      {retry && <Button onClick={retry}>Try again</Button>}
      {error instanceof ApiError && error.callId && (
        <p className={s.trace}>
          For support: call <code>{error.callId}</code>
        </p>
      )}
    </div>
  );
}

/** Where something will stand; `lines` of it. */
export function Skeleton({ lines = 1, height }: { lines?: number; height?: number }) {
  return (
    <div className={s.skeletons} aria-busy role="status">
      <span className="visually-hidden">Loading</span>
      {Array.from({ length: lines }, (_, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike
        <div key={i} className={s.skeleton} style={height ? { height } : undefined} />
      ))}
    </div>
  );
}
