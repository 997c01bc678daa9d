// biome-ignore-start lint/suspicious/noThenProperty: a state's way on is called so
import { describe, expect, it } from 'vitest';
import type { Board, ProvisioningModel, Run, Waiting } from '@/api/types';
import { askedOf, chosenBecause, endedAt, nextOf, present, stays } from '@/parts/run/words';
import { wantsReason } from './approvals/decide';
import { lanes, ordered } from './board/board';
import { chosenAfter, commonGuess, guesses, shown } from './waiting/waiting';

const item = (model: string, state: string, count: number, more: Partial<Board['items'][number]> = {}) => ({
  model,
  version: 1,
  type: 'pump',
  state,
  title: `At ${state}`,
  count,
  waitingForPeople: 0,
  ...more,
});

describe('the board', () => {
  it('counts versions and types of a model together, the fullest model first', () => {
    const all = lanes([
      item('a', 'ask', 1, { waitingForPeople: 1 }),
      item('b', 'ask', 5),
      item('b', 'ask', 900, { version: 2, type: 'valve' }),
    ]);
    expect(all.map((l) => [l.model, l.count, l.people])).toEqual([
      ['b', 905, 0],
      ['a', 1, 1],
    ]);
    expect(all[0]?.stages).toEqual([{ state: 'ask', title: 'At ask', count: 905, people: 0 }]);
    expect(lanes([item('b', 'ask', 5)], 'valve')).toEqual([]);
  });
  it('shows those first that stand still longest', () => {
    const run = (id: string, updated: string) =>
      ({ id, updated, created: updated, model: { id: 'm' }, state: 's' }) as Run;
    const runs = [run('new', '2026-01-02T00:00:00Z'), run('old', '2026-01-01T00:00:00Z')];
    const ids = (order: 'still' | 'newest' | 'ended') => ordered(runs, order).map((r) => r.id);
    expect(ids('still')).toEqual(['old', 'new']);
    expect(ids('newest')).toEqual(['new', 'old']);
    expect(ids('ended')).toEqual(['new', 'old']);
  });
});

const model: ProvisioningModel = {
  id: 'm',
  version: 1,
  start: 'ask',
  states: [
    {
      name: 'ask',
      do: 'ask',
      with: { question: 'Is it yours?', reason: 'optional' },
      limit: '72h',
      on: [
        { when: 'approved', if: 'decision.reason != ""', then: 'twin' },
        { when: 'declined', then: 'rejected' },
      ],
    },
    { name: 'twin', title: 'Twin is made', do: 'create-twin', then: 'done' },
    { name: 'done', end: 'completed' },
    { name: 'rejected', end: 'rejected' },
  ],
};

describe('a run in words', () => {
  const run = { model, state: 'ask', steps: [], created: '2026-01-01T00:00:00Z' } as unknown as Run;
  it('says what comes next, also when nothing does', () => {
    expect(nextOf(run)).toEqual([
      { when: 'somebody approves and decision.reason != ""', to: 'Twin is made', ends: undefined },
      { when: 'somebody declines', to: 'rejected', ends: 'rejected' },
      { when: 'nothing comes in 72h', to: 'rejected', ends: 'rejected' },
    ]);
    expect(nextOf({ ...run, outcome: 'completed' })).toEqual([]);
    expect(nextOf({ ...run, state: 'of another version' })).toEqual([]);
  });
  it('says whom it waits for, and for what', () => {
    const asks = { state: 'ask', text: 'Is it yours?', by: 'group:press', since: '2026-01-01T00:00:00Z' };
    expect(askedOf({ asks, owner: 'cooling' })).toBe('group press');
    expect(askedOf({ asks: { ...asks, by: 'owner' }, owner: 'cooling' })).toBe('group cooling');
    expect(present({ ...run, asks })).toBe('Is it yours?');
    expect(present({ ...run, waiting: true })).toBe('Waits until somebody approves, or somebody declines.');
  });
  it('says how long it was where', () => {
    const step = (state: string, second: number) => ({
      at: `2026-01-01T00:00:0${second}Z`,
      state,
      actor: 'x',
      outcome: 'done' as const,
    });
    const r = { ...run, state: 'twin', steps: [step('ask', 0), step('ask', 4), step('twin', 5)] };
    expect(stays(r, Date.parse('2026-01-01T00:00:09Z'))).toEqual([
      { state: 'ask', ms: 4000, now: false },
      { state: 'twin', ms: 5000, now: true },
    ]);
    expect(stays(run, Date.parse(run.created) + 7)).toEqual([{ state: 'ask', ms: 7, now: true }]);
  });
  it('says how it ended, where it was before, and why it has its model', () => {
    const step = (state: string, outcome: string, reason = '') => ({
      at: run.created,
      state,
      actor: 'x',
      outcome,
      reason,
    });
    const steps = [
      step('ask', 'done', 'asked with claim claim-1 at gateway g; model semi, version 1: the type names it: by hand'),
      step('ask', 'done', 'not ours'),
      step('no', 'ended', 'rejected: declined: not ours'),
    ];
    const no = { name: 'no', end: 'rejected' };
    const ended = {
      ...run,
      model: { ...model, states: [...(model.states ?? []), no] },
      state: 'no',
      steps,
    } as unknown as Run;
    expect(endedAt({ ...ended, outcome: 'rejected' })).toBe('ask');
    expect(endedAt(ended)).toBe('');
    expect(present({ ...ended, outcome: 'rejected', reason: 'declined: not ours' })).toBe('Declined: not ours');
    expect(chosenBecause(ended)).toBe('the type names it: by hand');
    expect(chosenBecause({ ...ended, steps: [{ ...steps[0]!, reason: 'begun anew' }] as Run['steps'] })).toBe(
      'begun anew',
    );
  });
  it('knows where its model asks for a reason', () => {
    expect(wantsReason(model.states?.[0], 'approved')).toBe(true);
    expect(wantsReason(model.states?.[0], 'declined')).toBe(false);
    expect(wantsReason(undefined, 'approved')).toBe(false);
    const strict = { ...model.states![0]!, with: { question: 'Is it yours?' } };
    expect(wantsReason(strict, 'approved')).toBe(true);
    expect(wantsReason(strict, 'declined')).toBe(true);
  });
});

describe('the waiting list', () => {
  const w = (id: string, serial: string, type?: string) =>
    ({ id, serial, guess: type ? [{ type, why: '', score: 1 }] : [] }) as unknown as Waiting;
  const items = [w('1', 'P-1', 'pump'), w('2', 'P-2', 'pump'), w('3', '<b>\u202e', undefined)];
  it('is filtered by words and by what they are guessed to be', () => {
    expect(shown(items, { text: 'p- 2', guess: '' }).map((x) => x.id)).toEqual(['2']);
    expect(shown(items, { text: '', guess: '?' }).map((x) => x.id)).toEqual(['3']);
    expect(guesses(items)).toEqual([
      ['pump', 2],
      ['?', 1],
    ]);
  });
  it('prefills the type only where all are guessed to be of it', () => {
    expect(commonGuess(items.slice(0, 2))).toBe('pump');
    expect(commonGuess(items)).toBe('');
  });
  it('chooses a range from the one chosen last, in either direction, and takes it back so', () => {
    const order = ['1', '2', '3', '4'];
    const some = chosenAfter(new Set(['4']), order, '2', '4', true);
    expect([...some].sort()).toEqual(['2', '3', '4']);
    expect([...chosenAfter(some, order, '4', '2', true)]).toEqual([]);
    expect([...chosenAfter(new Set(), order, '3', 'gone', true)]).toEqual(['3']);
  });
});
// biome-ignore-end lint/suspicious/noThenProperty: see above
