import { memo, useMemo } from 'react';
import type { Property, Reading, Rule } from '@/api/types';
import { Chart, type Series, type Threshold } from '@/parts/Chart';
import { durationWords, parseCondition } from '@/parts/condition';
import { unitSign, value } from '@/parts/format';
import { columns, type Step } from './history';
import s from './Overview.module.css';
import type { Window } from './window';

const none: Step[] = [];

/** One number over time: its mean as the line, what it was between as a band, and the limits it is held against. */
export const PropertyChart = memo(
  function PropertyChart({
    property,
    steps = none,
    latest,
    rules,
    window: w,
    onZoom,
    onReset,
  }: {
    property: Property;
    steps: Step[] | undefined;
    latest: Reading['value'] | undefined;
    rules: Rule[];
    window: Window;
    onZoom: (from: number, to: number) => void;
    onReset: () => void;
  }) {
    const { times, series } = useMemo(() => {
      const c = columns(steps, w.step);
      const one: Series = {
        label: property.name,
        unit: property.unit,
        values: c.mean,
        low: c.low,
        high: c.high,
        colour: 1,
        latest: w.moving && typeof latest === 'number' ? latest : undefined,
      };
      return { times: c.times, series: [one] };
    }, [steps, w.step, w.moving, latest, property]);
    const thresholds = useMemo(() => thresholdsOf(property, rules), [property, rules]);
    return (
      <div className={s.chart}>
        <Chart
          compact
          group="twin"
          label={property.name}
          times={times}
          series={series}
          from={w.from}
          to={w.to}
          thresholds={thresholds}
          height={148}
          onZoom={onZoom}
          onReset={onReset}
        />
        {steps.length === 0 && <p className={s.none}>No readings in this range</p>}
      </div>
    );
  },
  // The callbacks do the same whenever they are made.
  (a, b) =>
    a.property === b.property &&
    a.steps === b.steps &&
    a.latest === b.latest &&
    a.rules === b.rules &&
    a.window.from === b.window.from &&
    a.window.to === b.window.to,
);

/** The type's range, and the rules that watch this property. */
export function thresholdsOf(p: Property, rules: Rule[]): Threshold[] {
  const unit = unitSign(p.unit);
  const said = (word: string, v: number) => `${word} ${value(v)}${unit && ` ${unit}`}`;
  const all: Threshold[] = [];
  if (p.min !== undefined) all.push({ value: p.min, label: said('least', p.min), tone: 'neutral', aside: true });
  if (p.max !== undefined) all.push({ value: p.max, label: said('most', p.max), tone: 'neutral', aside: true });
  for (const r of rules) {
    const c = r.disabled ? undefined : parseCondition(r.condition);
    if (c?.property !== p.name) continue;
    all.push({
      value: c.value,
      label: `${said(c.op, c.value)}${c.for > 0 ? ` for ${durationWords(c.for)}` : ''}`,
      tone: r.severity,
      aside: true,
    });
  }
  return all;
}
