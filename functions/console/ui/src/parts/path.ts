import type { ProvisioningModel } from '@/api/types';

type State = NonNullable<ProvisioningModel['states']>[number];

/** The states a run goes through when nothing goes wrong, the end included. A model may lead in a circle: each comes once. */
export function path(model: ProvisioningModel): State[] {
  const byName = new Map((model.states ?? []).map((s) => [s.name, s]));
  const states: State[] = [];
  for (let s = byName.get(model.start); s && !states.includes(s); s = byName.get(onward(s) ?? '')) states.push(s);
  return states;

  /** Of several ways on, the first that does not lead to a rejection. */
  function onward(s: State): string | undefined {
    return s.then || s.on?.find((o) => byName.get(o.then)?.end !== 'rejected')?.then;
  }
}
