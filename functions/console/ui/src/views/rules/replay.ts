// What a rule would have done: its condition over what was measured, by the semantics of shared/monitor (Observe and Tick).
import type { Condition } from '@/parts/condition';
import { isBytes } from '@/parts/format';

/** What was measured within one step of the history. */
export interface Step {
  /** Beginning, in seconds since 1970. */
  at: number;
  count: number;
  min: number;
  max: number;
  last: number;
}

/** An alarm that would have been; seconds since 1970. */
export interface Spell {
  from: number;
  to: number;
  /** It would be raised still. */
  open: boolean;
}

interface Sample {
  at: number;
  value: number;
}

/** Whether v fulfils the condition; while the alarm is raised the clear value counts. */
export function breached(c: Condition, v: number, active: boolean): boolean {
  const limit = active ? (c.clear ?? c.value) : c.value;
  switch (c.op) {
    case '>':
      return v > limit;
    case '>=':
      return v >= limit;
    case '<':
      return v < limit;
    case '<=':
      return v <= limit;
    case '==':
      return v === limit;
    case '!=':
      return v !== limit;
  }
}

/** The alarms that the condition would have raised over the steps, until `now`. A value counts until the next one comes: silence does not end a breach. */
export function replay(c: Condition, steps: Step[], length: number, now: number): Spell[] {
  const spells: Spell[] = [];
  let since: number | undefined; // of the breach
  let raised: number | undefined;
  const due = () => (since !== undefined && raised === undefined ? since + c.for : Infinity);
  for (const { at, value } of samples(steps, length)) {
    if (due() < at) raised = due();
    if (breached(c, value, raised !== undefined)) {
      since ??= at;
      if (due() <= at) raised = due();
      continue;
    }
    if (raised !== undefined) spells.push({ from: raised, to: at, open: false });
    since = raised = undefined;
  }
  if (due() <= now) raised = due();
  if (raised !== undefined) spells.push({ from: raised, to: Math.max(now, raised), open: true });
  return spells;
}

/** The values of each step in an order that may have been: the history tells the extremes and the last, not which came first. */
function* samples(steps: Step[], length: number): Generator<Sample> {
  let before: number | undefined;
  for (const s of steps) {
    const near = before === undefined || Math.abs(before - s.min) <= Math.abs(before - s.max);
    const inside = s.count < 2 ? [] : near ? [s.min, s.max] : [s.max, s.min];
    const values = [...inside, s.last].filter((v, i, all) => i === 0 || v !== all[i - 1]);
    for (const [i, value] of values.entries()) yield { at: s.at + (length * (i + 1)) / (values.length + 1), value };
    before = s.last;
  }
}

/** A threshold to begin with: a round number (of bytes a power of two, or some) that all but the most extreme twentieth of the steps stay under. */
export function suggest(steps: Step[], unit?: string): number | undefined {
  if (steps.length === 0) return undefined;
  const sorted = steps.map((s) => s.max).sort((a, b) => a - b);
  const [low, high] = [Math.min(...steps.map((s) => s.min)), sorted[sorted.length - 1] as number];
  const p = sorted[Math.floor((sorted.length - 1) * 0.95)] as number;
  if (low === high) return high;
  const quarter = (high - low) / 4;
  const grain =
    isBytes(unit) && quarter >= 1 ? 2 ** Math.floor(Math.log2(quarter)) : 10 ** Math.floor(Math.log10(quarter));
  // Below the highest, too: a line that nothing ever crosses shows nothing.
  const grains = Math.min(Math.ceil(p / grain), Math.ceil(high / grain) - 1);
  return Number((grains * grain).toPrecision(15));
}
