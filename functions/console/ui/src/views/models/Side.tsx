import type { Run, Simulation } from '@/api/types';
import { Card } from '@/parts/Card';
import { cx } from '@/parts/cx';
import { standings, taken } from '@/parts/run/progress';
import { StateMachine } from '@/parts/run/StateMachine';
import { Segments } from '@/parts/Segments';
import { useParam } from '@/parts/useParam';
import s from './Editor.module.css';
import { Help } from './Help';
import type { Checked } from './useCheck';

/** Beside the text: the drawing of it, with the way of the dry run, or what may stand in it. */
export function Side({
  checked: { model, stale },
  path,
  chosen,
  onSelect,
}: {
  checked: Checked;
  path?: Simulation;
  chosen: string;
  onSelect: (state: string) => void;
}) {
  const [side, setSide] = useParam('side', 'drawing');
  const run = model && path && ({ ...path, model } as Pick<Run, 'model' | 'state' | 'outcome' | 'steps'>);
  const drawn = side !== 'help';
  return (
    <Card
      title={drawn ? 'Drawing' : 'Help'}
      note={
        drawn && model && stale ? 'of the text before its faults' : drawn && run ? 'with the way of the dry run' : ''
      }
      actions={
        <Segments
          label="Beside the text"
          value={drawn ? 'drawing' : 'help'}
          onChange={setSide}
          items={[
            { id: 'drawing', label: 'Drawing' },
            { id: 'help', label: 'Help' },
          ]}
        />
      }
    >
      <div className={cx(s.drawing, drawn && stale && s.stale)} tabIndex={drawn ? undefined : 0}>
        {!drawn ? (
          <Help />
        ) : model ? (
          <StateMachine
            model={model}
            standings={run && standings(run)}
            taken={run && taken(run)}
            selected={chosen}
            onSelect={onSelect}
          />
        ) : (
          <p className={s.none}>The drawing appears when there is no fault in the text.</p>
        )}
      </div>
    </Card>
  );
}
