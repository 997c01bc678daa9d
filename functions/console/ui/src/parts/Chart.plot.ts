// How the plot of a chart is drawn: what of uPlot is used, in the design's tokens.
import type uPlot from 'uplot';
import { drawThreshold, room, type Threshold } from './Chart.thresholds';
import { axisTime, axisValue } from './format';

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
  /** The newest value where it is known better than the last point says. */
  latest?: number;
}

/** What may change while a plot stays. */
export interface Now {
  current: {
    series: Series[];
    data: uPlot.AlignedData;
    from: number;
    to: number;
    onZoom?: (from: number, to: number) => void;
    onReset?: () => void;
    thresholds: Threshold[];
  };
}

/** The design's colour of a series. */
export const colourOf = (x: Series, i: number) => x.colour ?? (i % 6) + 1;

/** A plot in `el`; `setAt` hears where the crosshair is. Plots of one group share it. */
export function options(
  el: HTMLElement,
  height: number,
  group: string | undefined,
  now: Now,
  setAt: (i: number | null) => void,
): uPlot.Options {
  const css = getComputedStyle(el);
  // Tokens are light-dark(), which the canvas does not know: a property that is computed tells the colour.
  const probe = document.createElement('span');
  // Where motion is reduced, every element has a transition of 1 ms: the first look would find the colour before.
  probe.style.transitionProperty = 'none';
  el.append(probe);
  const token = (name: string) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const ink = token('--ink-3');
  const line = token('--line');
  const surface = token('--surface');
  const tones = {
    neutral: ink,
    info: token('--info-fill'),
    warning: token('--warning-fill'),
    critical: token('--critical-fill'),
  };
  const font = `11px ${css.fontFamily}`;
  const axis: uPlot.Axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
  const plotted: uPlot.Series[] = [{}];
  const bands: uPlot.Band[] = [];
  now.current.series.forEach((x, i) => {
    const stroke = token(`--series-${colourOf(x, i)}`);
    plotted.push({
      label: x.label,
      stroke,
      width: 1.75,
      spanGaps: false,
      points: { show: true, size: 4, fill: stroke, filter: (u, n) => alone(u.data[n] as (number | null)[]) },
    });
    if (x.low && x.high) {
      plotted.push(
        { stroke: 'transparent', points: { show: false } },
        { stroke: 'transparent', points: { show: false } },
      );
      bands.push({ series: [plotted.length - 1, plotted.length - 2], fill: alpha(stroke, 0.16) });
    }
  });
  probe.remove();
  return {
    width: el.clientWidth,
    height,
    series: plotted,
    bands,
    legend: { show: false },
    padding: [10, 18, 0, 0],
    scales: {
      x: { time: true, range: () => [now.current.from, now.current.to] },
      y: { range: (_, lo, hi) => room(lo, hi, now.current.thresholds, now.current.series[0]?.unit === '%') },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 28,
        space: 72,
        // None where it would be cut: half of a label reaches beyond its tick.
        values: (u, ticks, _axis, _space, step) =>
          ticks.map((t) => {
            const text = axisTime(t, step);
            return u.valToPos(t, 'x') + text.length * 3.2 > u.width - axisLeft(u) ? '' : text;
          }),
      },
      {
        ...axis,
        size: (_, ticks) => Math.max(40, 16 + 6.6 * Math.max(0, ...(ticks ?? []).map((t) => t.length))),
        space: 34,
        ...(/^By/.test(now.current.series[0]?.unit ?? '') && { incrs: powersOfTwo }),
        values: (_, ticks) => ticks.map((v) => axisValue(v, now.current.series[0]?.unit)),
      },
    ],
    cursor: {
      y: false,
      points: { size: 7 },
      drag: { x: !!now.current.onZoom, y: false, setScale: false },
      // Only where the crosshair is: what is dragged here is told once, by what onZoom does.
      ...(group && { sync: { key: group, filters: { pub: (type) => type === 'mousemove' || type === 'mouseleave' } } }),
      bind: {
        dblclick: () => () => {
          now.current.onReset?.();
          return null;
        },
      },
    },
    hooks: {
      setCursor: [(u) => setAt(u.cursor.idx ?? null)],
      setSelect: [(u) => selected(u, now)],
      draw: [
        (u) => {
          const written: number[] = [];
          for (const t of now.current.thresholds) drawThreshold(u, t, tones[t.tone], surface, font, written);
        },
      ],
    },
  };
}

function selected(u: uPlot, now: Now): void {
  if (u.select.width < 4) return;
  const [a, b] = [u.posToVal(u.select.left, 'x'), u.posToVal(u.select.left + u.select.width, 'x')];
  u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  now.current.onZoom?.(a, b);
}

/** Points that no line goes to, and the newest. */
function alone(values: (number | null)[]): number[] {
  const found: number[] = [];
  let last = -1;
  for (let i = 0; i < values.length; i++) {
    if (values[i] == null) continue;
    last = i;
    if (values[i - 1] == null && values[i + 1] == null) found.push(i);
  }
  return last >= 0 && found.at(-1) !== last ? [...found, last] : found;
}

/** How far the plot is from its element's left edge. */
const axisLeft = (u: uPlot) => u.bbox.left / devicePixelRatio;

/** So that an axis of bytes has round numbers. */
const powersOfTwo = Array.from({ length: 60 }, (_, i) => 2 ** i);

const alpha = (colour: string, a: number) => colour.replace(/^rgba?\((\d+), (\d+), (\d+).*$/, `rgba($1, $2, $3, ${a})`);
