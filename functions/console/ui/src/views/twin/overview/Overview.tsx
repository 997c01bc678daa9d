import { Activity } from 'lucide-react';
import { useMemo } from 'react';
import type { Twin } from '@/api/types';
import { Empty } from '@/parts/States';
import { useParam } from '@/parts/useParam';
import { useRules } from '../alarms/useRules';
import { useTypeOf } from '../useTypeOf';
import { Charts } from './Charts';
import s from './Overview.module.css';
import { propertiesOf } from './properties';
import { RangeBar } from './RangeBar';
import { Reported } from './Reported';
import { StateRows } from './StateRows';
import { usual } from './window';

/** What a device reports: numbers as charts, states as bars, and the newest of all in a table. */
export default function Overview({ twin }: { twin: Twin }) {
  const [range, setRange] = useParam('range', usual);
  const type = useTypeOf(twin);
  const rules = useRules(twin).rules;
  const reported = twin.live.reported;
  // Which properties there are changes seldom, their values all the time.
  const names = (reported ?? []).map((r) => `${typeof r.value}:${r.property}`).join('\n');
  // biome-ignore lint/correctness/useExhaustiveDependencies: `names` says when
  const { numbers, states } = useMemo(() => propertiesOf(reported ?? [], type?.definition.model), [names, type]);

  if (numbers.length + states.length === 0) {
    return (
      <Empty icon={<Activity aria-hidden />} title="Nothing reported yet">
        Charts and values appear here by themselves as soon as the device sends its first reading.
      </Empty>
    );
  }
  return (
    <div className={s.overview}>
      <RangeBar range={range} onChange={setRange} />
      {numbers.length > 0 && <Charts twin={twin} properties={numbers} rules={rules} range={range} onRange={setRange} />}
      {states.length > 0 && <StateRows twin={twin.id} properties={states} range={range} />}
      <Reported twin={twin} properties={[...numbers, ...states]} />
    </div>
  );
}
