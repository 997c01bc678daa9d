import type { Property, Rule } from '@/api/types';
import type { Threshold } from '@/parts/Chart.thresholds';
import { durationWords, parseCondition } from '@/parts/condition';
import { said } from '@/parts/format';

/** The type's range, and the rules that watch this property. */
export function thresholdsOf(p: Property, rules: Rule[]): Threshold[] {
  const all: Threshold[] = [];
  if (p.min !== undefined) all.push({ value: p.min, label: '', tone: 'neutral', aside: true });
  if (p.max !== undefined) all.push({ value: p.max, label: '', tone: 'neutral', aside: true });
  for (const r of rules) {
    const c = r.disabled ? undefined : parseCondition(r.condition);
    if (c?.property !== p.name) continue;
    all.push({
      value: c.value,
      label: `${c.op} ${said(c.value, p.unit)}${c.for > 0 ? ` for ${durationWords(c.for)}` : ''}`,
      tone: r.severity,
      aside: true,
    });
  }
  return all;
}
