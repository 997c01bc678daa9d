import { ListChecks, Play, Trash2, Undo2 } from 'lucide-react';
import type { DriverTest, TestRun } from '@/api/types';
import { Badge } from '@/parts/Badge';
import { Button, IconButton } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { plural } from '@/parts/format';
import { Refused } from '@/parts/Refused';
import { Empty } from '@/parts/States';
import { driverOps, eventWord } from '@/parts/words';
import s from './Bench.module.css';
import { shownOf } from './bytes';
import { Differences } from './Differences';
import { commandOf, inputOf } from './input';
import type { BenchState } from './useBench';

const shown = 24; // bytes of an input in the list

/** The driver's tests, each with what came of it. */
export function Tests({ bench }: { bench: BenchState }) {
  const { tests } = bench.draft;
  const ran = tests.map((t) => bench.outcome(t)).filter((o) => o !== undefined);
  const failed = ran.filter((o) => o.differences?.length).length;
  return (
    <Card
      title="Tests"
      note={
        <span role="status">
          {ran.length === 0
            ? plural(tests.length, 'test')
            : `${ran.length - failed} passed, ${failed} failed${ran.length < tests.length ? `, ${tests.length - ran.length} not run` : ''}`}
        </span>
      }
      flush
      actions={
        tests.length > 0 && (
          <Button size="s" icon={<Play aria-hidden />} busy={bench.testing.busy} onClick={bench.runTests}>
            Run the tests
          </Button>
        )
      }
    >
      {bench.testing.refused && (
        <div className={s.refused}>
          <Refused reason={bench.testing.refused} faults={bench.testing.faults} />
        </div>
      )}
      {tests.length === 0 ? (
        <Empty icon={<ListChecks aria-hidden />} title="No test yet">
          A driver needs at least one to be published. Run a message whose values you know, and add it as a test.
        </Empty>
      ) : (
        <ol className={s.tests}>
          {tests.map((t, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: names may be there twice, or not at all
            <Test key={i} test={t} name={t.name || `Test ${i + 1}`} outcome={bench.outcome(t)} bench={bench} />
          ))}
        </ol>
      )}
    </Card>
  );
}

function Test({
  test: t,
  name,
  outcome,
  bench,
}: {
  test: DriverTest;
  name: string;
  outcome?: TestRun;
  bench: BenchState;
}) {
  const bad = !!outcome?.differences?.length;
  const { command, data } = commandOf(t, bench.draft.kind);
  return (
    <li className={s.test}>
      <Badge tone={!outcome ? 'neutral' : bad ? 'critical' : 'ok'} dot>
        {!outcome ? 'not run' : bad ? 'failed' : 'passed'}
      </Badge>
      <div className={s.what}>
        <b dir="auto">{name}</b>
        <span className={s.hint}>
          {driverOps.find(([op]) => op === t.op)?.[1]}
          {t.op === 'onEvent' && ` (${eventWord(t.kind)})`}
          {command && `: ${command}`}
          {!!t.port && `, port ${t.port}`}
        </span>
        <code>{t.bytes ? shownOf(t.bytes, shown) : JSON.stringify(data)?.slice(0, 120)}</code>
      </div>
      <div className={s.deeds}>
        <IconButton
          label={`Put ${name} into the bench`}
          onClick={() => bench.setInput(inputOf(t, bench.draft.kind, bench.input.encoding))}
        >
          <Undo2 aria-hidden />
        </IconButton>
        <IconButton label={`Remove ${name}`} onClick={() => bench.removeTest(t)}>
          <Trash2 aria-hidden />
        </IconButton>
      </div>
      {bad && <Differences of={outcome.differences ?? []} label={`What differs in ${name}`} />}
    </li>
  );
}
