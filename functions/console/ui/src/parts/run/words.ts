// A run's present in words: what it waits for, for whom, and what comes next.
import type { ProvisioningModel, Run, Twin } from '@/api/types';
import { actor } from '@/parts/words';
import { lastRound, wayIn } from './progress';

type TypeModel = NonNullable<Twin['definition']['model']>;
type State = NonNullable<ProvisioningModel['states']>[number];

const triggers = new Map<string, string>([
  ['gateway-ready', 'the gateway lets it in'],
  ['device-confirm', 'the device confirms'],
  ['device-asked', 'the device asks again'],
  ['device-seen', 'the device comes to its gateway'],
  ['approved', 'somebody approves'],
  ['declined', 'somebody declines'],
  ['confirmed', 'somebody confirms'],
  ['timer', 'its time is over'],
  ['answered', 'the service answers'],
]);

const when = (trigger: string | undefined) => triggers.get(trigger ?? '') ?? trigger ?? 'it is done';

export const stateOf = (m: ProvisioningModel, name: string): State | undefined =>
  (m.states ?? []).find((s) => s.name === name);

/** Whether another device speaks for those of a type, whichever way they come in: they cannot ask themselves. */
export const comesByAnother = (m: TypeModel | undefined) => m?.provisioning === 'relayed' && !m.choices?.length;

/** A state as people call it. */
export const titleOf = (m: ProvisioningModel, name: string) => stateOf(m, name)?.title || name;

/** Where a run goes from where it is, and when. */
export function nextOf(run: Pick<Run, 'model' | 'state' | 'outcome'>): { when: string; to: string; ends?: string }[] {
  const s = stateOf(run.model, run.state);
  if (!s || run.outcome) return [];
  const to = (name: string) => ({ to: titleOf(run.model, name), ends: stateOf(run.model, name)?.end });
  const ways = (s.on ?? []).map((o) => ({ when: `${when(o.when)}${o.if ? ` and ${o.if}` : ''}`, ...to(o.then) }));
  if (s.then) ways.push({ when: s.await ? when(s.await) : 'that is done', ...to(s.then) });
  if (s.limit && !(s.on ?? []).some((o) => o.when === 'timer'))
    ways.push({ when: `nothing comes in ${s.limit}`, ...(s.else ? to(s.else) : { to: 'rejected', ends: 'rejected' }) });
  return ways;
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** A reason that begins with who did it, by the name that people have. */
const named = (reason: string) =>
  reason.replace(/^(\w+ by )(user:\S+)/, (_, verb: string, by: string) => verb + actor(by));

/** What a run is at, and why it does not go on. */
export function present(run: Run): string {
  if (run.outcome === 'completed') return 'It has come through.';
  if (run.outcome === 'rejected') return capital(named(run.reason ?? '')) || 'It was rejected.';
  if (run.withdrawing) return 'What it has made is being withdrawn.';
  if (run.asks) return run.asks.text;
  const s = stateOf(run.model, run.state);
  const last = lastRound(run.steps).at(-1);
  if (run.rest) return `It is tried again: ${last?.reason || 'that did not work yet'}`;
  if (run.call && !run.call.answered) return `Waits for the service ${run.call.service ?? ''}`.trim();
  if (run.waiting && s) {
    const awaited = s.await ? [s.await] : (s.on ?? []).map((o) => o.when).filter(Boolean);
    return `Waits until ${awaited.map(when).join(', or ')}.`;
  }
  return 'It is going on by itself.';
}

/** Who is asked, in words. */
export function askedOf(run: Pick<Run, 'asks' | 'owner'>): string {
  const group = run.asks?.by.startsWith('group:') ? run.asks.by.slice('group:'.length) : (run.owner ?? '');
  return group ? `group ${group}` : 'the maintainers';
}

/** Why it has its model: what begins a round in its log tells it, after how the round came about. */
export function chosenBecause(run: Pick<Run, 'steps' | 'first'>): string {
  const said = lastRound(run.steps).find((s) => !s.action && s.reason)?.reason ?? '';
  return /(?:^|; )model [^:;]+: (.+)$/s.exec(said)?.[1] ?? said;
}

/** Where a run was before it ended; '' if it is under way. */
export function endedAt(run: Pick<Run, 'model' | 'steps' | 'outcome'>): string {
  if (!run.outcome) return '';
  const left = lastRound(run.steps).findLast((s) => s.outcome !== 'ended' && !stateOf(run.model, s.state)?.end);
  return left ? titleOf(run.model, left.state) : '';
}

export interface Stay {
  state: string;
  /** Milliseconds. */
  ms: number;
  /** It is there still. */
  now: boolean;
}

/** How long the round was in each state, in their order; one it came to twice stands twice. */
export function stays(run: Pick<Run, 'steps' | 'state' | 'outcome' | 'created'>, now: number): Stay[] {
  const steps = wayIn(run.steps).filter((s) => s.outcome !== 'ignored');
  const found: Stay[] = [];
  let from = Date.parse(steps[0]?.at ?? run.created);
  steps.forEach((s, i) => {
    if (steps[i + 1]?.state === s.state) return;
    const at = Date.parse(s.at);
    found.push({ state: s.state, ms: Math.max(0, at - from), now: false });
    from = at;
  });
  if (run.outcome) return found;
  const last = found.at(-1);
  const more = Math.max(0, now - from);
  if (last?.state === run.state) Object.assign(last, { ms: last.ms + more, now: true });
  else found.push({ state: run.state, ms: more, now: true });
  return found;
}
