import { ZoomOut } from 'lucide-react';
import type { ReactNode } from 'react';
import { now } from '@/api/clock';
import { Button } from '@/parts/Button';
import { dayTime } from '@/parts/format';
import { Segments } from '@/parts/Segments';
import s from './Overview.module.css';
import { ranges, usual, windowOf } from './window';

/** Chooses which stretch of time the charts show. */
export function RangeBar({
  range,
  onChange,
  onReset,
  children,
}: {
  range: string;
  onChange: (range: string) => void;
  onReset: () => void;
  children?: ReactNode;
}) {
  const w = windowOf(range, now() / 1000);
  const chosen = w.moving ? (Object.hasOwn(ranges, range) ? range : usual) : '';
  return (
    <div className={s.bar}>
      <Segments
        label="Range of the charts"
        value={chosen}
        onChange={onChange}
        items={Object.keys(ranges).map((id) => ({ id, label: id }))}
      />
      {w.moving ? (
        <span className={s.hint}>Drag across a chart to zoom</span>
      ) : (
        <>
          <span className={s.span}>
            {dayTime(w.from * 1000)} – {dayTime(w.to * 1000)}
          </span>
          <Button size="s" icon={<ZoomOut aria-hidden />} onClick={onReset}>
            Reset zoom
          </Button>
        </>
      )}
      {children}
    </div>
  );
}
