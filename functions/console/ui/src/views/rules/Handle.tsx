import { type KeyboardEvent, type PointerEvent, useRef } from 'react';
import { cx } from '@/parts/cx';
import { axisValue, said } from '@/parts/format';
import type { Line } from './DayChart';
import s from './DayChart.module.css';
import { aim, grain, type Scale } from './scale';

/** A line across the chart that is a slider: dragged by its label or anywhere on it, moved by the arrow keys. */
export function Handle({
  line,
  unit,
  y,
  low,
  high,
  left,
  right,
  others,
  onHold,
  onMove,
}: {
  line: Line;
  unit?: string;
  y: Scale;
  low: number;
  high: number;
  left: number;
  right: number;
  /** Where the other lines are: labels give way. */
  others: number[];
  onHold: (on: boolean) => void;
  onMove: (value: number) => void;
}) {
  const grip = useRef<number | null>(null); // distance of the pointer from the line
  const at = y.at(line.value);
  const shift = others.some((o) => Math.abs(o - at) < 20) ? (line.id === 'value' ? -1 : 1) * 11 : 0;
  const down = (e: PointerEvent<SVGGElement>) => {
    if (e.button !== 0) return;
    e.preventDefault();
    e.currentTarget.focus({ preventScroll: true });
    e.currentTarget.setPointerCapture(e.pointerId);
    grip.current = e.clientY - at;
    onHold(true);
  };
  const move = (e: PointerEvent<SVGGElement>) => {
    if (grip.current === null) return;
    const v = y.of(e.clientY - grip.current);
    onMove(aim(Math.min(high, Math.max(low, v)), low, high, unit));
  };
  const up = () => {
    if (grip.current === null) return;
    grip.current = null;
    onHold(false);
  };
  const pressed = (e: KeyboardEvent) => {
    const g = grain(high - low, 250, unit);
    const by = { ArrowUp: g, ArrowRight: g, ArrowDown: -g, ArrowLeft: -g, PageUp: 10 * g, PageDown: -10 * g }[e.key];
    if (!by) return;
    e.preventDefault();
    onMove(aim(line.value + by, low, high, unit));
  };
  const text = said(line.value, unit);
  const short = text.length > 10 ? axisValue(line.value, unit) : text;
  return (
    <g
      role="slider"
      tabIndex={0}
      aria-label={line.label}
      aria-orientation="vertical"
      aria-valuenow={line.value}
      aria-valuetext={text}
      aria-valuemin={low}
      aria-valuemax={high}
      className={cx(s.handle, line.id === 'clear' && s.clear)}
      onPointerDown={down}
      onPointerMove={move}
      onPointerUp={up}
      onPointerCancel={up}
      onKeyDown={pressed}
    >
      <rect className={s.reach} x={left} y={at - 8} width={right - left} height={16} />
      <line className={s.rule} x1={left} x2={right} y1={at} y2={at} />
      <rect className={s.pill} x={right + 4} y={at + shift - 11} width={70} height={22} rx={5} />
      <text className={s.amount} x={right + 39} y={at + shift} textAnchor="middle" dominantBaseline="central">
        {short.length > 10 ? `${short.slice(0, 9)}…` : short}
      </text>
    </g>
  );
}
