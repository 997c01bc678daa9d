import { useState } from 'react';
import type { Property, Rule, Twin } from '@/api/types';
import { Button } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { useMayWrite } from '@/parts/may';
import { Failure, Skeleton } from '@/parts/States';
import s from './Overview.module.css';
import { PropertyChart } from './PropertyChart';
import { useSteps } from './useSteps';
import { useWindow } from './useWindow';
import { rangeOf, type Window } from './window';

/** Charts that are read by one look. */
export const together = 8;

interface Props {
  twin: Twin;
  properties: Property[];
  rules: Rule[];
  range: string;
  onRange: (range: string) => void;
  onReset: () => void;
}

/** Small charts of numbers, two side by side, under one crosshair. Of many, some are shown at first. */
export function Charts(props: Props) {
  const [groups, setGroups] = useState(1);
  const window = useWindow(props.range);
  const properties = props.properties;
  const shown = properties.slice(0, groups * together);
  const chunks: Property[][] = [];
  for (let i = 0; i < shown.length; i += together) chunks.push(shown.slice(i, i + together));
  return (
    <div className={s.charts}>
      {chunks.map((c) => (
        <Group key={c[0]!.name} {...props} properties={c} window={window} />
      ))}
      {properties.length > shown.length && (
        <Button kind="quiet" onClick={() => setGroups(groups + 1)}>
          Show more charts ({properties.length - shown.length})
        </Button>
      )}
    </div>
  );
}

function Group({ twin, properties, rules, range, onRange, onReset, window }: Props & { window: Window }) {
  const steps = useSteps(
    twin.id,
    properties.map((p) => p.name),
    range,
  );
  const may = useMayWrite(twin.id, twin.definition.owner);
  const latest = new Map((twin.live.reported ?? []).map((r) => [r.property, r]));
  if (steps.isError && !steps.data) {
    return (
      <Card>
        <Failure error={steps.error} what="The history could not be read" retry={() => void steps.refetch()} />
      </Card>
    );
  }
  return (
    <div className={s.grid}>
      {properties.map((p) => (
        <Card key={p.name} flush className={s.cell}>
          {steps.data ? (
            <PropertyChart
              twin={may ? twin.id : undefined}
              property={p}
              steps={steps.data.get(p.name)}
              latest={latest.get(p.name)}
              rules={rules}
              window={window}
              onZoom={(from, to) => onRange(rangeOf(from, to))}
              onReset={onReset}
            />
          ) : (
            <div className={s.waiting}>
              <Skeleton height={150} />
            </div>
          )}
        </Card>
      ))}
    </div>
  );
}
