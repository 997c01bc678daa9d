import { type ReactNode, useEffect, useMemo, useRef, useState } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import s from './Chart.module.css';
import { colourOf, options, type Series } from './Chart.plot';
import type { Threshold } from './Chart.thresholds';
import { cx } from './cx';
import { clockTime, dayTime, quantity, unitSign, utc, value } from './format';
import { useDark } from './theme';

export type { Series, Threshold };

const none: Threshold[] = [];

/**
 * Values over time, with crosshair; dragging zooms, a double click goes back. `times` are seconds since 1970, ascending.
 * `compact` puts the names above, as the heading of a small chart; charts of one `group` share their crosshair.
 */
export function Chart({
  times,
  series,
  from,
  to,
  onZoom,
  onReset,
  thresholds = none,
  height = 220,
  label,
  compact = false,
  group,
  action,
}: {
  times: number[];
  series: Series[];
  /** Seconds; the range shown, also where nothing is. */
  from: number;
  to: number;
  onZoom?: (from: number, to: number) => void;
  onReset?: () => void;
  thresholds?: Threshold[];
  height?: number;
  label: string;
  compact?: boolean;
  group?: string;
  /** What can be done with it, at the end of a compact one's heading. */
  action?: ReactNode;
}) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [at, setAt] = useState<number | null>(null);
  const dark = useDark();
  const shape = JSON.stringify([
    series.map((x) => [x.label, x.unit, x.colour, !!x.low]),
    height,
    dark,
    group,
    !!onZoom,
  ]);
  const data = useMemo(() => {
    const rows: (number | null)[][] = [];
    for (const x of series) {
      rows.push(x.values);
      if (x.low && x.high) rows.push(x.low, x.high);
    }
    return [times, ...rows] as uPlot.AlignedData;
  }, [times, series]);
  const said = useMemo(() => summary(series), [series]);
  const now = useRef({ series, data, from, to, onZoom, onReset, thresholds });
  now.current = { series, data, from, to, onZoom, onReset, thresholds };

  // biome-ignore lint/correctness/useExhaustiveDependencies: made anew only when its shape changes; the rest is read from `now`
  useEffect(() => {
    const el = box.current;
    if (!el) return;
    const u = new uPlot(options(el, height, group, now, setAt), now.current.data, el);
    plot.current = u;
    const sized = new ResizeObserver(() => u.setSize({ width: el.clientWidth, height }));
    sized.observe(el);
    return () => {
      sized.disconnect();
      u.destroy();
      plot.current = null;
    };
  }, [shape]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the range and the thresholds are read from `now` when it is drawn
  useEffect(() => plot.current?.setData(data), [data, from, to, thresholds]);

  const time = at === null ? undefined : times[at];
  const legend = (
    <figcaption className={cx(s.legend, compact && s.compact)}>
      {series.map((x, i) => (
        <span key={x.label} className={s.entry}>
          {(!compact || series.length > 1) && (
            <span className={s.key} style={{ background: `var(--series-${colourOf(x, i)})` }} aria-hidden />
          )}
          <bdi title={x.label}>{x.label}</bdi>
          <b>
            <Amount
              value={time === undefined ? (x.latest ?? last(x.values)) : (x.values[at ?? 0] ?? null)}
              unit={x.unit}
            />
          </b>
        </span>
      ))}
      <span className={s.when}>
        {time === undefined ? (
          compact ? (
            ''
          ) : (
            'latest'
          )
        ) : (
          <time title={utc(time * 1000)}>{to - from > 86_400 ? dayTime(time * 1000) : clockTime(time * 1000)}</time>
        )}
      </span>
      {compact && action && <span className={s.action}>{action}</span>}
    </figcaption>
  );
  return (
    <figure className={s.chart}>
      {compact && legend}
      <div ref={box} className={s.plot} style={{ height }} role="img" aria-label={`${label}. ${said}`} />
      {!compact && legend}
    </figure>
  );
}

function Amount({ value: v, unit }: { value: number | null; unit?: string }) {
  const { text, sign } = quantity(v, unit);
  return (
    <>
      {text}
      {v !== null && sign && <span className={s.unit}>{sign}</span>}
    </>
  );
}

const last = (values: (number | null)[]) => values.findLast((v) => v !== null) ?? null;

function summary(series: Series[]): string {
  return series
    .map((x) => {
      const there = x.values.filter((v) => v !== null);
      if (there.length === 0) return `${x.label}: no values`;
      const [lo, hi] = there.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
      return `${x.label}: from ${value(lo)} to ${value(hi)} ${unitSign(x.unit)}, latest ${value(last(x.values))}`;
    })
    .join('; ');
}
