import { type PointerEvent, useMemo, useRef, useState } from 'react';
import type { Severity } from '@/api/types';
import { cx } from '@/parts/cx';
import { axisValue, dayTime, said, utc } from '@/parts/format';
import s from './DayChart.module.css';
import { Handle } from './Handle';
import type { Spell } from './replay';
import { clockTicks, range, scale, ticks } from './scale';
import { Trace } from './Trace';
import { type Day, stepLength } from './useDay';
import { useWidth } from './useWidth';

const height = 280;
const box = { top: 18, right: 78, bottom: 26 };

/** A line that can be dragged. */
export interface Line {
  id: 'value' | 'clear';
  label: string;
  value: number;
}

/** The day of a property with the rule's lines, which a pointer drags and arrow keys move, and the alarms that there would have been. An SVG,
 *  because its lines are controls that assistive technology must see; the charts that are only looked at are uPlot's. */
export function DayChart({
  day,
  property,
  unit,
  lines,
  spells,
  severity,
  onMove,
}: {
  day: Day;
  property: string;
  unit?: string;
  lines: Line[];
  spells: Spell[];
  severity: Severity;
  onMove: (id: Line['id'], value: number) => void;
}) {
  const [host, width] = useWidth();
  const [pointed, setPointed] = useState<number | null>(null);
  // The scale stays while a line is dragged: else the line would flee from the pointer.
  const held = useRef<[number, number] | null>(null);
  const [dragging, setDragging] = useState(false);
  const measured = useMemo(() => day.steps.flatMap((x) => [x.min, x.max]), [day]);
  const fit = range([...extremes(measured), ...lines.map((l) => l.value)]);
  const [low, high] = dragging && held.current ? held.current : fit;
  const marks = ticks(low, high, 5, unit).map((v) => ({ v, text: axisValue(v, unit) }));
  // As wide as the longest number beside the axis.
  const left = Math.max(44, 14 + 6.6 * Math.max(...marks.map((m) => m.text.length)));
  const right = Math.max(left + 1, width - box.right);
  const bottom = height - box.bottom;
  const x = useMemo(() => scale(day.from, day.to, left, right), [day, left, right]);
  const y = useMemo(() => scale(low, high, bottom, box.top), [low, high, bottom]);
  const step = pointed === null ? undefined : nearest(day, pointed);
  const point = (e: PointerEvent<SVGSVGElement>) => {
    const px = e.clientX - e.currentTarget.getBoundingClientRect().left;
    setPointed(px < left || px > right ? null : x.of(px));
  };
  return (
    <figure ref={host} className={cx(s.chart, s[severity])}>
      {/* biome-ignore lint/a11y/useSemanticElements: there is no fieldset in an SVG */}
      <svg
        width={width}
        height={height}
        role="group"
        aria-label={`${property} in the last 24 hours, with ${lines.map((l) => l.label).join(' and ')}`}
        onPointerMove={point}
        onPointerLeave={() => setPointed(null)}
      >
        {spells.map((p) => (
          <Shade key={p.from} left={x.at(p.from)} right={x.at(p.to)} bottom={bottom} />
        ))}
        {marks.map(({ v, text }) => (
          <g key={v}>
            <line className={s.grid} x1={left} x2={right} y1={y.at(v)} y2={y.at(v)} />
            <text className={s.tick} x={left - 8} y={y.at(v)} textAnchor="end" dominantBaseline="central">
              {text}
            </text>
          </g>
        ))}
        {clockTicks(day.from, day.to, width / 90).map((t) => (
          <text key={t.at} className={s.tick} x={x.at(t.at)} y={height - 8} textAnchor="middle">
            {t.label}
          </text>
        ))}
        <Trace steps={day.steps} x={x} y={y} />
        {step && (
          <>
            <line className={s.cross} x1={x.at(middle(step.at))} x2={x.at(middle(step.at))} y1={box.top} y2={bottom} />
            <circle className={s.dot} cx={x.at(middle(step.at))} cy={y.at(step.last)} r={3.5} />
          </>
        )}
        {lines.map((l) => (
          <Handle
            key={l.id}
            line={l}
            unit={unit}
            y={y}
            low={low}
            high={high}
            left={left}
            right={right}
            others={lines.filter((o) => o.id !== l.id).map((o) => y.at(o.value))}
            onHold={(on) => {
              held.current = on ? fit : null;
              setDragging(on);
            }}
            onMove={(v) => onMove(l.id, v)}
          />
        ))}
        {day.steps.length === 0 && (
          <text className={s.nothing} x={(left + right) / 2} y={height / 2} textAnchor="middle">
            Nothing was measured in the last 24 h
          </text>
        )}
      </svg>
      <figcaption className={s.caption}>
        {step ? (
          <>
            <time title={utc(step.at * 1000)}>{dayTime(step.at * 1000)}</time> <b>{said(step.last, unit)}</b>
          </>
        ) : (
          'Drag a line, or move it with the arrow keys.'
        )}
      </figcaption>
    </figure>
  );
}

/** When an alarm would have been raised: a tint, and a bar above it for those who do not see the tint. */
function Shade({ left, right, bottom }: { left: number; right: number; bottom: number }) {
  const width = Math.max(2, right - left);
  return (
    <>
      <rect className={s.shade} x={left} y={box.top} width={width} height={bottom - box.top} />
      <rect className={s.bar} x={left} y={box.top - 5} width={width} height={3} rx={1} />
    </>
  );
}

const middle = (at: number) => at + stepLength / 2;

function extremes(values: number[]): number[] {
  if (values.length === 0) return [];
  let [low, high] = [Infinity, -Infinity];
  for (const v of values) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return [low, high];
}

/** The step at a time, if one is near. */
function nearest(day: Day, t: number) {
  let best: Day['steps'][number] | undefined;
  for (const x of day.steps) if (!best || Math.abs(middle(x.at) - t) < Math.abs(middle(best.at) - t)) best = x;
  return best && Math.abs(middle(best.at) - t) < 900 ? best : undefined;
}
