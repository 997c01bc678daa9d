import { describe, expect, it } from 'vitest';
import type { Run } from '@/api/types';
import { path } from '@/parts/path';
import { progress, words } from './progress';

// biome-ignore-start lint/suspicious/noThenProperty: models call it so
const model: Run['model'] = {
  id: 'automatic',
  version: 1,
  start: 'claim',
  states: [
    { name: 'claim', do: 'check-claim', then: 'twin', else: 'out' },
    { name: 'twin', do: 'create-twin', then: 'confirm' },
    { name: 'confirm', await: 'device-confirm', then: 'operational', else: 'withdraw' },
    { name: 'operational', end: 'completed' },
    { name: 'withdraw', do: 'withdraw', then: 'out' },
    { name: 'out', end: 'rejected' },
  ],
};

const run = (state: string, been: string[] = [], more: Partial<Run> = {}) =>
  ({
    model,
    state,
    first: 0,
    steps: been.map((s) => ({ at: '2026-01-01T00:00:00Z', state: s, actor: 'platform', outcome: 'done' })),
    ...more,
  }) as Run;

describe('progress', () => {
  it('follows the way on which nothing goes wrong', () => {
    expect(path(model).map((s) => s.name)).toEqual(['claim', 'twin', 'confirm', 'operational']);
    expect(progress(run('claim'))).toBe(0);
    expect(progress(run('confirm', ['claim', 'twin']))).toBeCloseTo(2 / 3);
    expect(progress(run('operational', [], { outcome: 'completed' }))).toBe(1);
  });

  it('stays where a run left the way', () => {
    expect(progress(run('withdraw', ['claim', 'twin', 'confirm']))).toBeCloseTo(2 / 3);
  });

  it('does not know without a model, and bears one that goes in a circle', () => {
    expect(progress(run('x', [], { model: { ...model, start: '', states: [] } }))).toBeUndefined();
    const circle = {
      ...model,
      start: 'a',
      states: [
        { name: 'a', then: 'b' },
        { name: 'b', then: 'a' },
      ],
    };
    expect(path(circle).map((s) => s.name)).toEqual(['a', 'b']);
  });

  it('reads names as words', () => {
    expect(words('issue-credential')).toBe('issue credential');
  });
});
// biome-ignore-end lint/suspicious/noThenProperty: as above
