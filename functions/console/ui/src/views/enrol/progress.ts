// A run as the list of states that lead to its end, for who watches a device come in.
import type { ProvisioningModel, Run, RunStep } from '@/api/types';

export interface Stage {
  state: string;
  /** What happens there, in words. */
  title: string;
  mark: 'done' | 'now' | 'refused' | 'ahead';
  /** RFC 3339; when it was done, or refused. */
  at?: string;
  reason?: string;
}

const titles: Record<string, string> = {
  'check-claim': 'Claim checked',
  'check-identity': 'Identity checked',
  'create-twin': 'Twin made',
  'issue-certificate': 'Certificate issued',
  'register-gateway': 'Let in at a gateway',
  'render-configuration': 'Configuration rendered',
  deliver: 'Handed to the device, and confirmed by it',
  'close-claim': 'Claim closed',
  'erase-credential': 'Kept credential erased',
  activate: 'Operational',
  withdraw: 'Withdrawn',
};

/** The states from the start to the end, the way a device goes when nothing fails. A model may lead in a circle: each comes once. */
export function way(m: ProvisioningModel): { state: string; title: string }[] {
  const out: { state: string; title: string }[] = [];
  const byName = new Map((m.states ?? []).map((s) => [s.name, s]));
  for (let s = byName.get(m.start); s && !out.some((o) => o.state === s?.name); s = byName.get(s.then ?? ''))
    out.push({ state: s.name, title: (s.do && titles[s.do]) || s.name });
  return out;
}

/** The log of the round that counts: it begins where the device asked last. */
export function roundOf(r: Run): RunStep[] {
  const steps = r.steps ?? [];
  const asked = steps.findLastIndex((s) => s.actor === 'device' && s.state === r.model.start && !s.action);
  return steps.slice(Math.max(0, asked)).filter((s) => s.outcome !== 'ignored');
}

/** How far a run has come on its way. */
export function stagesOf(r: Run): Stage[] {
  const steps = roundOf(r);
  const path = way(r.model);
  const current = path.findIndex((p) => p.state === r.state);
  const failing = r.outcome === 'rejected' || !!r.withdrawing || current < 0;
  return path.map((p, i) => {
    const own = steps.filter((s) => s.state === p.state && s.outcome !== 'ended' && s.action);
    const last = own[own.length - 1];
    if (r.outcome === 'completed') return { ...p, mark: 'done', at: last?.at };
    if (failing && (last?.outcome === 'refused' || last?.outcome === 'failed'))
      return { ...p, mark: 'refused', at: last.at, reason: last.reason };
    if (i === current && !failing)
      return { ...p, mark: 'now', reason: last?.outcome === 'done' ? undefined : last?.reason };
    if (current >= 0 ? i < current : last?.outcome === 'done') return { ...p, mark: 'done', at: last?.at };
    return { ...p, mark: 'ahead' };
  });
}
