import { useEffect, useMemo, useRef, useState } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import s from './Chart.module.css';
import { dayTime, unitSign, utc, value } from './format';
import { useDark } from './theme';

export interface Series {
  label: string;
  unit?: string;
  /** 1 to 6: a colour of the design's series; without it by position. */
  colour?: number;
  /** Values at the chart's times; null where there is none. */
  values: (number | null)[];
  /** The range that each value stands for, drawn as a band behind it. */
  low?: (number | null)[];
  high?: (number | null)[];
}

/** A line that something is compared with. */
export interface Threshold {
  value: number;
  label: string;
  tone: 'info' | 'warning' | 'critical';
}

/** Values over time, with crosshair; dragging zooms, a double click goes back. `times` are seconds since 1970, ascending. */
export function Chart({
  times,
  series,
  from,
  to,
  onZoom,
  thresholds = [],
  height = 220,
  label,
}: {
  times: number[];
  series: Series[] /** Seconds; the range shown, also where nothing is. */;
  from: number;
  to: number;
  onZoom?: (from: number, to: number) => void;
  thresholds?: Threshold[];
  height?: number;
  label: string;
}) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [at, setAt] = useState<number | null>(null);
  const dark = useDark();
  const shape = JSON.stringify([series.map((x) => [x.label, x.unit, x.colour, !!x.low]), height, dark]);
  const data = useMemo(() => {
    const rows: (number | null)[][] = [];
    for (const x of series) {
      rows.push(x.values);
      if (x.low && x.high) rows.push(x.low, x.high);
    }
    return [times, ...rows] as uPlot.AlignedData;
  }, [times, series]);
  const now = useRef({ series, data, from, to, onZoom, thresholds });
  now.current = { series, data, from, to, onZoom, thresholds };

  // biome-ignore lint/correctness/useExhaustiveDependencies: made anew only when its shape changes; the rest is read from `now`
  useEffect(() => {
    const el = box.current;
    if (!el) return;
    const u = new uPlot(options(el, height, now, setAt), now.current.data, el);
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

  return (
    <figure className={s.chart}>
      <div ref={box} className={s.plot} style={{ height }} role="img" aria-label={`${label}. ${summary(series)}`} />
      <figcaption className={s.legend}>
        <span className={s.when}>
          {at === null || times[at] === undefined ? (
            'latest'
          ) : (
            <time title={utc(times[at] * 1000)}>{dayTime(times[at] * 1000)}</time>
          )}
        </span>
        {series.map((x, i) => (
          <span key={x.label} className={s.entry}>
            <span className={s.key} style={{ background: `var(--series-${colourOf(x, i)})` }} aria-hidden />
            <bdi>{x.label}</bdi>
            <b>
              {value(at === null ? last(x.values) : x.values[at])} {unitSign(x.unit)}
            </b>
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

const colourOf = (x: Series, i: number) => x.colour ?? (i % 6) + 1;

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

interface Now {
  current: {
    series: Series[];
    data: uPlot.AlignedData;
    from: number;
    to: number;
    onZoom?: (from: number, to: number) => void;
    thresholds: Threshold[];
  };
}

function options(el: HTMLElement, height: number, now: Now, setAt: (i: number | null) => void): uPlot.Options {
  const css = getComputedStyle(el);
  // Tokens are light-dark(), which the canvas does not know: a property that is computed tells the colour.
  const probe = document.createElement('span');
  el.append(probe);
  const token = (name: string) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const ink = token('--ink-3');
  const line = token('--line');
  const tones = { info: token('--info-fill'), warning: token('--warning-fill'), critical: token('--critical-fill') };
  const font = `11px ${css.fontFamily}`;
  const axis: uPlot.Axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
  const plotted: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  now.current.series.forEach((x, i) => {
    const stroke = token(`--series-${colourOf(x, i)}`);
    plotted.push({ label: x.label, stroke, width: 1.75, spanGaps: false, points: { size: 4 } });
    if (x.low && x.high) {
      plotted.push(
        { stroke: 'transparent', points: { show: false } },
        { stroke: 'transparent', points: { show: false } },
      );
      bands.push({ series: [plotted.length - 1, plotted.length - 2], fill: alpha(stroke, 0.14) });
    }
  });
  probe.remove();
  return {
    width: el.clientWidth,
    height,
    series: plotted,
    bands,
    legend: { show: false },
    padding: [10, 12, 0, 0],
    scales: {
      x: { time: true, range: () => [now.current.from, now.current.to] },
      y: { range: (_, lo, hi) => room(lo, hi, now.current.thresholds) },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 28 },
      { ...axis, size: 56, values: (_, ticks) => ticks.map((v) => value(v)) },
    ],
    cursor: { y: false, points: { size: 7 }, drag: { x: !!now.current.onZoom, y: false, setScale: false } },
    hooks: {
      setCursor: [(u) => setAt(u.cursor.idx ?? null)],
      setSelect: [
        (u) => {
          if (u.select.width < 4) return;
          const [a, b] = [u.posToVal(u.select.left, 'x'), u.posToVal(u.select.left + u.select.width, 'x')];
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          now.current.onZoom?.(a, b);
        },
      ],
      draw: [
        (u) => {
          for (const t of now.current.thresholds) drawThreshold(u, t, tones[t.tone], font);
        },
      ],
    },
  };
}

/** Room above and below, with the thresholds in sight. */
function room(lo: number | null, hi: number | null, thresholds: Threshold[]): [number, number] {
  const all = thresholds.map((t) => t.value);
  const a = Math.min(lo ?? Infinity, ...all);
  const b = Math.max(hi ?? -Infinity, ...all);
  if (!Number.isFinite(a) || !Number.isFinite(b)) return [0, 1];
  const pad = a === b ? Math.abs(a) * 0.1 || 1 : (b - a) * 0.12;
  return [a >= 0 && a - pad < 0 ? 0 : a - pad, b + pad];
}

function drawThreshold(u: uPlot, t: Threshold, colour: string, font: string): void {
  const { ctx, bbox } = u;
  const y = u.valToPos(t.value, 'y', true);
  if (y < bbox.top - 1 || y > bbox.top + bbox.height + 1) return;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colour;
  ctx.lineWidth = 1.5 * ratio;
  ctx.setLineDash([5 * ratio, 4 * ratio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.font = font.replace('11px', `${11 * ratio}px`);
  ctx.textAlign = 'right';
  ctx.textBaseline = y - bbox.top < 16 * ratio ? 'top' : 'bottom';
  ctx.fillText(t.label, bbox.left + bbox.width - 2 * ratio, y + (ctx.textBaseline === 'top' ? 3 : -3) * ratio);
  ctx.restore();
}

const alpha = (colour: string, a: number) => colour.replace(/^rgba?\((\d+), (\d+), (\d+).*$/, `rgba($1, $2, $3, ${a})`);
