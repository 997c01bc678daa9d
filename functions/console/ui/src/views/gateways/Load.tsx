import type { Gateway } from '@/api/types';
import { cx } from '@/parts/cx';
import { count } from '@/parts/format';
import { loadOf } from './gateways';
import s from './Load.module.css';

/** How full a gateway is, as a bar with its figures. */
export function Load({ gateway: g }: { gateway: Gateway }) {
  const load = loadOf(g);
  return (
    <div className={s.load}>
      {load !== undefined && (
        <span className={s.bar} aria-hidden>
          <span
            className={cx(s.full, load >= 0.95 ? s.critical : load >= 0.8 && s.warning)}
            style={{ width: `${g.devices > 0 ? Math.max(2, load * 100) : 0}%` }}
          />
        </span>
      )}
      <span className={s.figures}>
        <b>{count(g.devices)}</b>
        {g.capacity > 0 && <> of {count(g.capacity)}</>}
      </span>
    </div>
  );
}
