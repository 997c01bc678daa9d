import { useState } from 'react';
import type { Property, Rule, Twin } from '@/api/types';
import { Button } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { TextField } from '@/parts/Field';
import { Failure, Skeleton } from '@/parts/States';
import s from './Overview.module.css';
import { PropertyChart } from './PropertyChart';
import { useSteps } from './useSteps';
import { useWindow } from './useWindow';
import { rangeOf, usual, type Window } from './window';

const together = 8; // charts that are read by one look

interface Props {
  twin: Twin;
  properties: Property[];
  rules: Rule[];
  range: string;
  onRange: (range: string) => void;
}

/** Small charts of numbers, two side by side, under one crosshair. Of many, some are shown and the rest is found by name. */
export function Charts(props: Props) {
  const [words, setWords] = useState('');
  const [groups, setGroups] = useState(1);
  const window = useWindow(props.range);
  const found = words
    ? props.properties.filter((p) => p.name.toLowerCase().includes(words.toLowerCase()))
    : props.properties;
  const shown = found.slice(0, groups * together);
  const chunks: Property[][] = [];
  for (let i = 0; i < shown.length; i += together) chunks.push(shown.slice(i, i + together));
  return (
    <div className={s.charts}>
      {props.properties.length > together && (
        <div className={s.find}>
          <TextField
            label="Find a chart"
            bare
            type="search"
            placeholder={`Find among ${props.properties.length} properties`}
            value={words}
            onChange={(e) => setWords(e.target.value)}
          />
        </div>
      )}
      {chunks.map((c) => (
        <Group key={c[0]!.name} {...props} properties={c} window={window} />
      ))}
      {found.length > shown.length && (
        <Button kind="quiet" onClick={() => setGroups(groups + 1)}>
          Show more charts ({found.length - shown.length})
        </Button>
      )}
    </div>
  );
}

function Group({ twin, properties, rules, range, onRange, window }: Props & { window: Window }) {
  const steps = useSteps(
    twin.id,
    properties.map((p) => p.name),
    range,
  );
  const latest = new Map((twin.live.reported ?? []).map((r) => [r.property, r.value]));
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
              property={p}
              steps={steps.data[p.name]}
              latest={latest.get(p.name)}
              rules={rules}
              window={window}
              onZoom={(from, to) => onRange(rangeOf(from, to))}
              onReset={() => onRange(usual)}
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
