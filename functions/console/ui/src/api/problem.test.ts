import { describe, expect, it } from 'vitest';
import { faultsOf, problemOf, reasonOf, saidOnce } from './problem';

const said = (body: object) => {
  const e = problemOf(400, body);
  return saidOnce(reasonOf(e), faultsOf(e));
};

describe('a refusal', () => {
  it('names the only thing that was wrong once', () => {
    const test = 'tests[0] "frost": data.temperature: want -2, got -20';
    expect(said({ detail: test, errors: [test] })).toEqual({
      reason: 'Tests[0] "frost": data.temperature: want -2, got -20.',
      faults: [],
    });
    const fault = { line: 4, path: 'uplink', text: 'type "i17x" is not known' };
    expect(said({ detail: `code: line 4: uplink: ${fault.text}`, faults: [fault] }).faults).toEqual([]);
  });
  it('names each of several things once', () => {
    expect(
      said({ detail: '2 of 3 tests fail; the first: tests[0]: no', errors: ['tests[0]: no', 'tests[2]: no'] }),
    ).toEqual({
      reason: '2 of 3 tests fail.',
      faults: [{ text: 'tests[0]: no' }, { text: 'tests[2]: no' }],
    });
  });
  it('keeps what the reason does not say', () => {
    expect(said({ detail: 'it cannot be taken', errors: ['tests: none'] }).faults).toEqual([{ text: 'tests: none' }]);
  });
});
