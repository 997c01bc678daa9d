import { SlidersHorizontal } from 'lucide-react';
import { memo, useMemo } from 'react';
import { Link } from 'wouter';
import { now } from '@/api/clock';
import type { Property, Reading, Rule } from '@/api/types';
import { Button } from '@/parts/Button';
import { Chart, type Series } from '@/parts/Chart';
import { newRuleHref } from '@/parts/links';
import { Time } from '@/parts/Time';
import { Tooltip } from '@/parts/Tooltip';
import { columns, type Step } from './history';
import s from './Overview.module.css';
import { thresholdsOf } from './thresholds';
import { around, type Window } from './window';

const none: Step[] = [];

/** One number over time: its mean as the line, what it was between as a band, and the limits it is held against. */
export const PropertyChart = memo(
  function PropertyChart({
    twin,
    property,
    steps = none,
    latest,
    rules,
    window: w,
    onZoom,
    onReset,
  }: {
    /** The twin that a threshold can be set on; undefined if the reader may not. */
    twin: string | undefined;
    property: Property;
    steps: Step[] | undefined;
    /** The newest reading, in this range or not. */
    latest: Reading | undefined;
    rules: Rule[];
    window: Window;
    onZoom: (from: number, to: number) => void;
    onReset: () => void;
  }) {
    const newest = latest?.value;
    const { times, series } = useMemo(() => {
      const c = columns(steps, w.step);
      const one: Series = {
        label: property.name,
        unit: property.unit,
        values: c.mean,
        low: c.low,
        high: c.high,
        colour: 1,
        latest: w.moving && typeof newest === 'number' ? newest : undefined,
      };
      return { times: c.times, series: [one] };
    }, [steps, w.step, w.moving, newest, property]);
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
          action={
            twin !== undefined && (
              <Tooltip text="Set a threshold">
                <Link href={newRuleHref(twin, property.name)} aria-label={`Set a threshold for ${property.name}`}>
                  <SlidersHorizontal aria-hidden />
                </Link>
              </Tooltip>
            )
          }
          onZoom={onZoom}
          onReset={onReset}
        />
        {steps.length === 0 && <Nothing latest={latest} window={w} onShow={onZoom} />}
      </div>
    );
  },
  // The callbacks do the same whenever they are made.
  (a, b) =>
    a.twin === b.twin &&
    a.property === b.property &&
    a.steps === b.steps &&
    a.latest?.value === b.latest?.value &&
    a.latest?.at === b.latest?.at &&
    a.rules === b.rules &&
    a.window.from === b.window.from &&
    a.window.to === b.window.to,
);

/** In place of a line: since when there is none, and the way there. */
function Nothing({
  latest,
  window: w,
  onShow,
}: {
  latest: Reading | undefined;
  window: Window;
  onShow: (from: number, to: number) => void;
}) {
  const at = latest ? Date.parse(latest.at) / 1000 : Number.NaN;
  const elsewhere = at < w.from || at > w.to;
  return (
    <div className={s.none}>
      <p>
        No readings in this range.
        {elsewhere && (
          <>
            {' '}
            The newest was <Time at={latest?.at} exact />.
          </>
        )}
      </p>
      {elsewhere && (
        <Button size="s" onClick={() => onShow(...around(at, w, now() / 1000))}>
          Show the range around it
        </Button>
      )}
    </div>
  );
}
