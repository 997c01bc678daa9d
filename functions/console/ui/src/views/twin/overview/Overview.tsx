import { useQuery } from '@tanstack/react-query';
import { useMemo, useRef, useState } from 'react';
import { now } from '@/api/clock';
import { rulesThatWatch } from '@/api/reads';
import type { Twin } from '@/api/types';
import { TextField } from '@/parts/Field';
import { count } from '@/parts/format';
import { Skeleton } from '@/parts/States';
import { useParam } from '@/parts/useParam';
import { useTypeOf } from '../useTypeOf';
import { Charts, together } from './Charts';
import s from './Overview.module.css';
import { propertiesOf } from './properties';
import { RangeBar } from './RangeBar';
import { Reported } from './Reported';
import { Silent } from './Silent';
import { StateRows } from './StateRows';
import { firstRange, windowOf } from './window';

/** What a device reports: numbers as charts, states as bars, and the newest of all in a table. */
export default function Overview({ twin }: { twin: Twin }) {
  const [words, setWords] = useState('');
  const [first] = useState(() => firstRange(twin.created, now()));
  const [range, setRange] = useParam('range', first);
  // Where a zoom came from, and goes back to.
  const wide = useRef(first);
  if (windowOf(range, 0).moving) wide.current = range;
  const reset = () => setRange(wide.current);
  const { type, known } = useTypeOf(twin);
  const { data: watching } = useQuery({ ...rulesThatWatch(twin.id), staleTime: 30_000 });
  const rules = useMemo(() => watching?.items.map((i) => i.rule) ?? [], [watching]);
  const reported = twin.live.reported;
  // Which properties there are changes seldom, their values all the time.
  const names = (reported ?? []).map((r) => `${typeof r.value}:${r.property}`).join('\n');
  // biome-ignore lint/correctness/useExhaustiveDependencies: `names` says when
  const { numbers, states } = useMemo(() => propertiesOf(reported ?? [], type?.definition.model), [names, type]);

  const found = useMemo(
    () => numbers.filter((p) => p.name.toLowerCase().includes(words.toLowerCase())),
    [numbers, words],
  );

  if (!known) return <Skeleton lines={6} />;
  if (numbers.length + states.length === 0) {
    return <Silent twin={twin} />;
  }
  return (
    <div className={s.overview}>
      <RangeBar range={range} onChange={setRange} onReset={reset}>
        {numbers.length > together && (
          <div className={s.find}>
            <TextField
              label="Find a chart"
              bare
              type="search"
              placeholder={`Find among ${count(numbers.length)} properties`}
              value={words}
              onChange={(e) => setWords(e.target.value)}
            />
          </div>
        )}
      </RangeBar>
      {numbers.length > 0 && (
        <Charts twin={twin} properties={found} rules={rules} range={range} onRange={setRange} onReset={reset} />
      )}
      {states.length > 0 && <StateRows twin={twin.id} properties={states} range={range} />}
      <Reported twin={twin} properties={[...numbers, ...states]} />
    </div>
  );
}
