import type { ProvisioningModel } from '@/api/types';

type State = NonNullable<ProvisioningModel['states']>[number];

/** The states a run goes through when nothing goes wrong, the end included. A model may lead in a circle: each comes once. */
export function path(model: ProvisioningModel): State[] {
  const byName = new Map((model.states ?? []).map((s) => [s.name, s]));
  const states: State[] = [];
  for (let s = byName.get(model.start); s && !states.includes(s); s = byName.get(s.then ?? '')) states.push(s);
  return states;
}
