import { memo, useMemo } from 'react';
import type { Property, Reading, Rule } from '@/api/types';
import { Chart, type Series } from '@/parts/Chart';
import { columns, type Step } from './history';
import s from './Overview.module.css';
import { thresholdsOf } from './thresholds';
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
