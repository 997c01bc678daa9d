// The form of a rule as it is typed, what is wrong with it in words, and the condition that it makes.
import type { Rule, Severity } from '@/api/types';
import { type Condition, conditionText, type Operator, parseCondition } from '@/parts/condition';
import { quoted } from '@/parts/shell';

export const timeUnits = { s: 1, min: 60, h: 3600 } as const;
export type TimeUnit = keyof typeof timeUnits;

/** As typed: numbers are text until they are good. */
export interface Form {
  target: string;
  property: string;
  op: Operator;
  value: string;
  time: string;
  timeUnit: TimeUnit;
  clear: string;
  severity: Severity;
  name: string;
}

export type Errors = Partial<Record<keyof Form, string>>;

export const emptyForm = (target: string, property: string): Form => ({
  target,
  property,
  op: '>',
  value: '',
  time: '1',
  timeUnit: 'min',
  clear: '',
  severity: 'warning',
  name: '',
});

/** The form of a rule that exists; undefined if its condition is not understood here. */
export function formOf(r: Rule): Form | undefined {
  const c = parseCondition(r.condition);
  if (!c) return undefined;
  const timeUnit = c.for > 0 && c.for % 3600 === 0 ? 'h' : c.for > 0 && c.for % 60 === 0 ? 'min' : 's';
  return {
    target: r.target,
    property: c.property,
    op: c.op,
    value: String(c.value),
    time: String(c.for / timeUnits[timeUnit]),
    timeUnit,
    clear: c.clear === undefined ? '' : String(c.clear),
    severity: r.severity,
    name: r.name ?? '',
  };
}

/** Hysteresis has a meaning only where there is a side to come back from. */
export const clears = (op: Operator) => op !== '==' && op !== '!=';

/** A number as people type it: a decimal comma is a point. NaN if it is none. */
export function numberOf(text: string): number {
  const t = text.trim().replace(/^([+-]?\d*),(\d+)$/, '$1.$2');
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(t) && Number.isFinite(Number(t)) ? Number(t) : Number.NaN;
}

/** What is wrong, by field; {} if nothing is. The platform checks the same again (shared/monitor/rule.go). */
export function check(f: Form): Errors {
  const e: Errors = {};
  const [v, time, clear] = [numberOf(f.value), numberOf(f.time || '0'), numberOf(f.clear)];
  if (!f.target) e.target = 'Choose the device, type or aggregate to watch.';
  if (!f.property) e.property = 'Choose the property to watch.';
  else if (/[\s<>=!]/.test(f.property)) e.property = 'A property’s name has no spaces and none of < > = !';
  if (!f.value.trim()) e.value = 'Enter the threshold.';
  else if (Number.isNaN(v)) e.value = 'This is not a number.';
  if (Number.isNaN(time) || time < 0) e.time = 'Enter how long, or 0 for at once.';
  else if (time * timeUnits[f.timeUnit] > 30 * 86_400) e.time = 'At most 30 days.';
  if (f.clear.trim() && clears(f.op)) {
    if (Number.isNaN(clear)) e.clear = 'This is not a number.';
    else if (f.op.startsWith('>') && clear > v) e.clear = `It must be at most ${v}, else the alarm could never stay.`;
    else if (f.op.startsWith('<') && clear < v) e.clear = `It must be at least ${v}, else the alarm could never stay.`;
  }
  if (new TextEncoder().encode(f.name).length > 128) e.name = 'The name is too long: at most 128 letters.';
  return e;
}

/** The condition that the form makes; undefined while a number of it is missing or wrong. */
export function conditionOf(f: Form): Condition | undefined {
  const e = check(f);
  if (e.value || e.time || e.clear) return undefined;
  const c: Condition = {
    property: f.property,
    op: f.op,
    value: numberOf(f.value),
    for: numberOf(f.time || '0') * timeUnits[f.timeUnit],
  };
  if (f.clear.trim() && clears(f.op)) c.clear = numberOf(f.clear);
  return c;
}

/** The same by the command line. */
export function command(f: Form, c: Condition, rule?: string): string {
  const name = f.name.trim() && ` --name ${quoted(f.name.trim())}`;
  const condition = quoted(conditionText(c));
  return rule
    ? `castor rule set ${quoted(rule)} --condition ${condition} --severity ${f.severity}${name}`
    : `castor rule create ${quoted(f.target || 'TARGET')} ${condition} --severity ${f.severity}${name}`;
}
