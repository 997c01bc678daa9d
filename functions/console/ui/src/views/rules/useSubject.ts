import { useQuery } from '@tanstack/react-query';
import { oneTwin, twins } from '@/api/reads';
import type { Twin } from '@/api/types';
import type { Choice } from '@/parts/Combobox';
import { said } from '@/parts/format';

/** What a rule's target is, and the device whose day is looked at: the target itself, or one of the type's or aggregate's. */
export interface Subject {
  target: Twin | undefined;
  error: unknown;
  /** Devices to choose from; only for a type or aggregate. */
  examples: Twin[];
  example: string;
  /** What can be watched. */
  properties: Choice[];
  unit: (property: string) => string | undefined;
}

export function useSubject(id: string, chosen: string): Subject {
  const target = useQuery(oneTwin(id));
  const kind = target.data?.kind;
  const members = useQuery(membersOf(id, kind));
  // Whoever has said most has a day to show.
  const examples = [...(members.data?.items ?? [])].sort((a, b) => b.live.messages - a.live.messages);
  const example = kind === 'instance' ? id : (examples.find((t) => t.id === chosen)?.id ?? examples[0]?.id ?? '');
  const twin = useQuery(oneTwin(example)).data;
  const type = useQuery(oneTwin(kind === 'type' ? id : (twin?.definition.type ?? ''))).data;
  const declared = type?.definition.model?.properties ?? [];
  const unit = (property: string) => declared.find((p) => p.name === property)?.unit;
  const reported = new Map((twin?.live.reported ?? []).map((r) => [r.property, r.value]));
  const names = new Set(declared.filter((p) => p.type !== 'string').map((p) => p.name));
  for (const [name, v] of reported) if (typeof v !== 'string') names.add(name);
  const properties = [...names].sort().map((name) => {
    const v = reported.get(name);
    return {
      id: name,
      label: name,
      note: v === undefined ? 'not reported yet' : said(v, unit(name)),
    };
  });
  return { target: target.data, error: target.error, examples, example, properties, unit };
}

/** The devices of a type or aggregate. */
function membersOf(id: string, kind: Twin['kind'] | undefined) {
  const below = kind === 'type' ? { type: id } : { aggregate: id };
  return {
    ...twins({ kind: 'instance', ...below, limit: 100, view: 'row' }),
    enabled: kind === 'type' || kind === 'aggregate',
  };
}
