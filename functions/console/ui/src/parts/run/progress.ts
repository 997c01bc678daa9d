// How far a run has come in its model's state machine.
import type { ProvisioningModel, Run, RunStep } from '@/api/types';

/** reached: left behind. present: it is there now. failed: it was refused or given up there. ahead: not come to. */
export type Standing = 'reached' | 'present' | 'failed' | 'ahead';

/** Whether a step says that the twin of a device that had come in is gone: the platform undoes the run, nobody asks anew. */
const departs = (step: RunStep, before: RunStep | undefined) =>
  step.actor === 'platform:twins' &&
  step.outcome === 'refused' &&
  before?.outcome === 'ended' &&
  before.reason === 'completed';

/** The steps of the round that is under way, or was the last: one run may begin several times. */
export function lastRound(steps: RunStep[]): RunStep[] {
  const ends = (s: RunStep, i: number) => s.outcome === 'ended' && i < steps.length - 1 && !departs(steps[i + 1]!, s);
  return steps.slice(steps.findLastIndex(ends) + 1);
}

/** Which step says that the twin is gone of a device that had come in; -1 if none does. */
export const departure = (steps: RunStep[]): number => steps.findIndex((s, i) => departs(s, steps[i - 1]));

/** The last round as far as the device came in; without how it was undone once its twin was gone. */
export function wayIn(steps: RunStep[]): RunStep[] {
  const round = lastRound(steps);
  const gone = departure(round);
  return gone < 0 ? round : round.slice(0, gone);
}

/** Whether a run completed whose twin is gone since. */
export const twinIsGone = (run: Pick<Run, 'outcome' | 'cameIn'>): boolean => run.outcome === 'rejected' && !!run.cameIn;

/** Where each state of the model stands. */
export function standings(
  run: Pick<Run, 'model' | 'state' | 'outcome' | 'steps' | 'withdrawing'>,
): Map<string, Standing> {
  const found = new Map<string, Standing>((run.model.states ?? []).map((s) => [s.name, 'ahead']));
  for (const s of wayIn(run.steps)) {
    if (!found.has(s.state) || s.outcome === 'ignored') continue;
    if (s.outcome === 'ended') found.set(s.state, s.reason?.startsWith('rejected') ? 'failed' : 'reached');
    else found.set(s.state, s.outcome === 'refused' || s.outcome === 'failed' ? 'failed' : 'reached');
  }
  if (!run.outcome && found.has(run.state)) found.set(run.state, run.withdrawing ? 'failed' : 'present');
  return found;
}

/** Which ways were taken, as "from→to". */
export function taken(run: Pick<Run, 'steps' | 'state' | 'outcome' | 'cameIn'>): Set<string> {
  const ways = new Set<string>();
  let at = '';
  for (const { state } of twinIsGone(run) ? wayIn(run.steps) : [...lastRound(run.steps), { state: run.state }]) {
    if (at && at !== state) ways.add(`${at}→${state}`);
    at = state;
  }
  return ways;
}

/** Brings steps that came by the stream to those that were read. */
export function withSteps(run: Run, steps: RunStep[]): Run {
  const key = (s: RunStep) => `${s.at} ${s.state} ${s.action ?? ''} ${s.outcome}`;
  const there = new Set(run.steps.map(key));
  const fresh = steps.filter((s) => !there.has(key(s)));
  if (fresh.length === 0) return run;
  const all = [...run.steps, ...fresh].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  return { ...run, steps: all, state: stateAfter(run.model, all) ?? run.state };
}

/** Where the last step leads; undefined where only the platform knows. */
function stateAfter(model: ProvisioningModel, steps: RunStep[]): string | undefined {
  const last = steps.at(-1);
  const state = (model.states ?? []).find((s) => s.name === last?.state);
  if (!last || !state) return undefined;
  if (last.outcome === 'done' && state.then) return state.then;
  if (last.outcome === 'refused' && state.else) return state.else;
  return state.name;
}
