import { useState } from 'react';
import { drivers } from '@/api/drivers';
import type { DriverCall, DriverResult, DriverTest, TestRun } from '@/api/types';
import { useAction } from '@/parts/useAction';
import { type Draft, isThere, same, sourceOfDraft } from './draft';
import { callOf, firstInput, type Input, testOf } from './input';

/** What came of a call. */
export interface Ran {
  call: DriverCall;
  result: DriverResult;
  /** Milliseconds. */
  took?: number;
  /** Of the draft as it was. */
  of: Draft;
}

/** A driver on the bench: its draft, what is put into it, and what came of that. `published` says where it is unchanged. */
export function useBench(begin: Draft, published?: { name: string; version: string }, first?: Input) {
  const [draft, setDraft] = useState(begin);
  const [input, setInput] = useState<Input>({ ...firstInput, ...first }); // one of an older page lacks what has come since
  const [tried, setTried] = useState(false);
  const [ran, setRan] = useState<Ran>();
  const [tests, setTests] = useState<{ runs: TestRun[]; of: Draft }>();
  const [refusedOf, setRefusedOf] = useState('');
  const running = useAction();
  const testing = useAction();
  const called = callOf(input, draft.kind);
  const dirty = !same(draft, begin);
  // What is published is run by name: its code need not be sent there again.
  const which = published && !dirty ? published : { driver: sourceOfDraft(draft) };

  return {
    draft,
    dirty,
    change: (c: Partial<Draft>) => setDraft((d) => ({ ...d, ...c })),
    giveUp: () => setDraft(begin),
    input,
    setInput: (c: Partial<Input>) => {
      setInput((i) => ({ ...i, ...c }));
      if (!c.op || c.op === input.op) return;
      // What came of doing one thing says nothing of another.
      setTried(false);
      setRan(undefined);
      running.clear();
    },
    /** What is wrong with the input, once it was to be run, and with bytes as they are typed. */
    faults: tried ? called.faults : input.bytes ? { bytes: called.faults.bytes } : {},
    running,
    /** What was wrong with the code when it was run last; it stays until it is changed. */
    faultsOfCode: refusedOf === draft.text ? [...running.faults, ...testing.faults].filter((f) => f.line) : [],
    run: () => {
      setTried(true);
      const { call } = called;
      if (!call || !isThere(draft)) return;
      const at = { ...call, time: call.time ?? new Date().toISOString() };
      setRefusedOf(draft.text);
      void running.run(async () => {
        const out = await drivers.run({ ...which, calls: [at] });
        const result = out.results?.[0];
        if (result) setRan({ call, result, took: out.took?.[0], of: draft });
      });
    },
    ran,
    /** The result is of another driver or input than what is there now. */
    stale: !!ran && (ran.of.text !== draft.text || JSON.stringify(ran.call) !== JSON.stringify(called.call)),
    testing,
    runTests: () => {
      setRefusedOf(draft.text);
      void testing.run(async () => {
        const out = await drivers.run({ ...which, tests: true });
        setTests({ runs: out.tests ?? [], of: draft });
      });
    },
    /** What came of a test when all were run last; undefined if it or the driver was changed since. */
    outcome: (t: DriverTest): TestRun | undefined =>
      tests && tests.of.text === draft.text && tests.of.module === draft.module
        ? tests.runs[tests.of.tests.indexOf(t)]
        : undefined,
    addTest: (name: string) => {
      if (!ran) return;
      const test = testOf(name, ran.call, ran.result);
      setDraft((d) => ({ ...d, tests: [...d.tests, test] }));
    },
    removeTest: (t: DriverTest) => setDraft((d) => ({ ...d, tests: d.tests.filter((o) => o !== t) })),
  };
}

export type BenchState = ReturnType<typeof useBench>;
