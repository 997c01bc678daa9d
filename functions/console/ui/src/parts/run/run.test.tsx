// biome-ignore-start lint/suspicious/noThenProperty: a state's way on is called so
import { render, screen } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { ProvisioningModel, Run, RunStep } from '@/api/types';
import { layOut, nodeHeight } from './layout';
import { lastRound, standings, taken, twinIsGone, wayIn, withSteps } from './progress';
import { Steps } from './Steps';
import { comesByAnother, present } from './words';

const model: ProvisioningModel = {
  id: 'm',
  version: 1,
  start: 'claim',
  states: [
    { name: 'claim', do: 'check-claim', then: 'twin', else: 'rejected' },
    { name: 'twin', do: 'create-twin', then: 'gateway', else: 'rejected' },
    { name: 'gateway', do: 'register-gateway', await: 'gateway-ready', limit: '5m', then: 'done', else: 'rejected' },
    { name: 'done', end: 'completed' },
    { name: 'rejected', do: 'withdraw', end: 'rejected' },
  ],
};
let second = 0;
const step = (state: string, outcome: RunStep['outcome'], reason?: string): RunStep => ({
  at: `2026-01-01T00:00:${String(second++).padStart(2, '0')}Z`,
  state,
  outcome,
  actor: 'platform:twin-provision',
  ...(reason && { reason }),
});
const run = (state: string, steps: RunStep[], more: Partial<Run> = {}) => ({ model, state, steps, ...more }) as Run;

describe('how far a run has come', () => {
  it('tells what is left behind, where it is, and what is ahead', () => {
    const r = run('gateway', [step('claim', 'done'), step('twin', 'done'), step('gateway', 'waiting')]);
    expect([...standings(r).values()]).toEqual(['reached', 'reached', 'present', 'ahead', 'ahead']);
    expect(taken(r)).toEqual(new Set(['claim→twin', 'twin→gateway']));
  });
  it('tells where it failed, and that a repeated failure was overcome', () => {
    const r = run(
      'rejected',
      [
        step('claim', 'failed'),
        step('claim', 'done'),
        step('twin', 'refused'),
        step('rejected', 'done'),
        step('rejected', 'ended', 'rejected: no'),
      ],
      { outcome: 'rejected' },
    );
    expect(Object.fromEntries(standings(r))).toMatchObject({
      claim: 'reached',
      twin: 'failed',
      rejected: 'failed',
      gateway: 'ahead',
    });
  });
  it('counts only the last round', () => {
    const steps = [step('claim', 'refused'), step('rejected', 'ended', 'rejected'), step('claim', 'done')];
    expect(lastRound(steps)).toHaveLength(1);
    expect(standings(run('twin', steps)).get('claim')).toBe('reached');
    expect(lastRound(steps.slice(0, 2))).toHaveLength(2);
  });
  it('draws how a device came in whose twin is gone, and says when it did', () => {
    const gone = { ...step('done', 'refused', 'twin t was decommissioned'), actor: 'platform:twins' };
    const steps = [
      step('claim', 'done'),
      step('twin', 'done'),
      step('gateway', 'done'),
      step('done', 'ended', 'completed'),
      gone,
      step('twin', 'done'),
      step('rejected', 'ended', 'rejected: twin t was decommissioned'),
    ];
    const r = run('rejected', steps, { outcome: 'rejected', cameIn: steps[3]!.at });
    expect(twinIsGone(r)).toBe(true);
    expect(lastRound(steps)).toHaveLength(7);
    expect(wayIn(steps)).toHaveLength(4);
    expect([...standings(r).values()]).toEqual(['reached', 'reached', 'reached', 'reached', 'ahead']);
    expect(taken(r)).toEqual(new Set(['claim→twin', 'twin→gateway', 'gateway→done']));
    // In its log that is no failure of the device's, and is said once.
    const { container } = render(<Steps steps={steps} since={steps[0]!.at} />);
    screen.getByText('twin gone');
    expect(screen.getAllByText(/decommissioned/)).toHaveLength(1);
    expect(container.textContent).not.toMatch(/refused|rejected:/);
    // One that people reset is none, nor one that comes in anew.
    expect(twinIsGone(run('rejected', steps, { outcome: 'rejected' }))).toBe(false);
    expect(wayIn([...steps, step('claim', 'done')])).toHaveLength(1);
  });
  it('says in lists, which have no steps, that a twin is gone, and who took it out', () => {
    const reason = 'decommissioned by user:ada on 2026-11-02: scrapped (had completed on 2026-03-21)';
    const listed = run('rejected', [], { outcome: 'rejected', reason, cameIn: '2026-03-21T08:00:00Z' });
    expect(twinIsGone(listed)).toBe(true);
    expect(present(listed)).toMatch(/^Decommissioned by ada on 2026-11-02/);
    expect(twinIsGone({ ...listed, cameIn: undefined })).toBe(false);
    expect(twinIsGone({ ...listed, outcome: 'completed' })).toBe(false);
  });
  it('goes on by steps that come live, each once', () => {
    const first = step('claim', 'done');
    const r = run('twin', [first]);
    const next = step('twin', 'done');
    const after = withSteps(r, [first, next]);
    expect(after.steps).toHaveLength(2);
    expect(after.state).toBe('gateway');
    expect(withSteps(after, [next])).toBe(after);
  });
  it('bears a model without states and a state that the model does not know', () => {
    expect(standings(run('x', [step('x', 'done')], { model: { ...model, states: null } })).size).toBe(0);
  });
});

describe('the drawing', () => {
  it('has every state and way, none on another, and the common end at the side', async () => {
    const d = await layOut(model);
    expect(d.nodes.map((n) => n.name)).toEqual((model.states ?? []).map((s) => s.name));
    expect(d.ways).toHaveLength(6);
    const places = d.nodes.map((n) => `${Math.round(n.x)} ${Math.round(n.y)}`);
    expect(new Set(places).size).toBe(places.length);
    const at = (name: string) => d.nodes.find((n) => n.name === name)!;
    expect(at('rejected').x).toBeGreaterThan(at('claim').x);
    expect(new Set(['claim', 'twin', 'gateway', 'done'].map((n) => at(n).x)).size).toBe(1);
    expect(d.height).toBeGreaterThan(5 * nodeHeight);
  });
  it('draws the ways that people choose, each once', async () => {
    const d = await layOut({
      ...model,
      start: 'ask',
      states: [
        {
          name: 'ask',
          do: 'ask',
          on: [
            { when: 'approved', then: 'done' },
            { when: 'declined', then: 'rejected' },
          ],
          else: 'rejected',
        },
        { name: 'done', end: 'completed' },
        { name: 'rejected', end: 'rejected' },
      ],
    });
    expect(d.ways.map((w) => [w.from, w.to, w.otherwise])).toEqual([
      ['ask', 'done', false],
      ['ask', 'rejected', true],
    ]);
  });
  it('bears circles and ways to nowhere', async () => {
    const d = await layOut({
      ...model,
      states: [
        { name: 'a', then: 'b', else: 'a' },
        { name: 'b', then: 'a', else: 'nowhere' },
      ],
    });
    expect(d.nodes).toHaveLength(2);
  });
});

it('knows which devices another one speaks for, whatever they are like', () => {
  const by = { if: 'device.model == "x"', model: 'manual' };
  expect(comesByAnother({ provisioning: 'relayed' })).toBe(true);
  expect(comesByAnother({ provisioning: 'relayed', choices: [] })).toBe(true);
  expect(comesByAnother({ provisioning: 'relayed', choices: [by] })).toBe(false);
  expect(comesByAnother({ provisioning: 'manual' })).toBe(false);
  expect(comesByAnother({})).toBe(false);
  expect(comesByAnother(undefined)).toBe(false);
});

it('shows hostile text as text', () => {
  const evil = '<img src=x onerror=alert(1)>\u202e';
  render(<Steps steps={[{ ...step('claim', 'refused', evil), actor: evil }]} since="2026-01-01T00:00:00Z" />);
  expect(screen.getAllByText((t) => t.includes('<img src=x')).length).toBeGreaterThan(0);
  expect(document.querySelector('img')).toBeNull();
});
// biome-ignore-end lint/suspicious/noThenProperty: see above

it('who waited and went on waits no more', () => {
  const steps = [step('deliver', 'waiting'), step('deliver', 'done'), step('close', 'waiting')];
  const { container } = render(<Steps steps={steps} since="2026-01-01T00:00:00Z" />);
  expect(
    [...container.querySelectorAll('li')].map((li) => /waited|waiting|done/.exec(li.textContent ?? '')?.[0]),
  ).toEqual(['waited', 'done', 'waiting']);
});
