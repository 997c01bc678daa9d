// A run as the list of states that lead to its end, for who watches a device come in.
import type { ProvisioningModel, Run, RunStep } from '@/api/types';
import { path } from '@/parts/path';

export interface Stage {
  state: string;
  /** What happens there, in words. */
  title: string;
  mark: 'done' | 'now' | 'refused' | 'ahead';
  /** RFC 3339; when it was done, or refused. */
  at?: string;
  reason?: string;
}

/** Each action as it is done, and before. */
const titles = new Map<string, [done: string, ahead: string]>([
  ['check-claim', ['Claim checked', 'Check the claim']],
  ['check-identity', ['Identity checked', 'Check the identity']],
  ['register-identity', ['Identity registered', 'Register the identity']],
  ['ask', ['Decided by people', 'People decide']],
  ['create-twin', ['Twin made', 'Make the twin']],
  ['issue-credential', ['Credential issued', 'Issue the credential']],
  ['register-gateway', ['Let in at a gateway', 'Let it in at a gateway']],
  ['render-configuration', ['Configuration rendered', 'Render the configuration']],
  ['deliver', ['Handed to the device, and confirmed', 'Hand it to the device, which confirms']],
  ['close-claim', ['Claim closed', 'Close the claim']],
  ['erase-credential', ['Kept credential erased', 'Erase the kept credential']],
  ['activate', ['Operational', 'Operational']],
]);

/** The states that a device goes through when nothing fails, with what happens in each. */
export const way = (m: ProvisioningModel): { state: string; titles: [done: string, ahead: string] }[] =>
  path(m).map((s) => ({ state: s.name, titles: titles.get(s.do ?? '') ?? [s.title || s.name, s.title || s.name] }));

/** The log of the round that counts: it begins where the device asked last. */
export function roundOf(r: Run): RunStep[] {
  const steps = r.steps ?? [];
  const asked = steps.findLastIndex((s) => s.actor === 'device' && s.state === r.model.start && !s.action);
  return steps.slice(Math.max(0, asked)).filter((s) => s.outcome !== 'ignored');
}

/** How far a run has come on its way; of one that was refused, up to there. */
export function stagesOf(r: Run): Stage[] {
  const steps = roundOf(r);
  const states = way(r.model);
  const current = states.findIndex((p) => p.state === r.state);
  const failing = r.outcome === 'rejected' || !!r.withdrawing || current < 0;
  const stages: Stage[] = [];
  for (const [i, { state, titles }] of states.entries()) {
    const own = steps.filter((s) => s.state === state && s.outcome !== 'ended' && s.action);
    const last = own[own.length - 1];
    const [done, ahead] = titles;
    if (r.outcome === 'completed' || (!failing && i < current) || (failing && last?.outcome === 'done'))
      stages.push({ state, title: done, mark: 'done', at: last?.at });
    else if (failing && last)
      return [...stages, { state, title: ahead, mark: 'refused', at: last.at, reason: last.reason }];
    else if (i === current && !failing)
      stages.push({ state, title: ahead, mark: 'now', reason: last?.outcome === 'done' ? undefined : last?.reason });
    else if (!failing) stages.push({ state, title: ahead, mark: 'ahead' });
  }
  return stages;
}
