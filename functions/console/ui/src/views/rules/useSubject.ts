import { useQuery } from '@tanstack/react-query';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Twin } from '@/api/types';
import type { Choice } from '@/parts/Combobox';
import { unitSign, value } from '@/parts/format';

/** What a rule's target is, and the device whose day is looked at: the target itself, or one of the type's or group's. */
export interface Subject {
  target: Twin | undefined;
  error: unknown;
  /** Devices to choose from; only for a type or group. */
  examples: Twin[];
  example: string;
  /** What can be watched. */
  properties: Choice[];
  unit: (property: string) => string | undefined;
}

export function useSubject(id: string, chosen: string): Subject {
  const target = useTwin(id);
  const kind = target.data?.kind;
  const members = useQuery(membersOf(id, kind));
  // Whoever has said most has a day to show.
  const examples = [...(members.data?.items ?? [])].sort((a, b) => b.live.messages - a.live.messages);
  const example = kind === 'instance' ? id : (examples.find((t) => t.id === chosen)?.id ?? examples[0]?.id ?? '');
  const twin = useTwin(example).data;
  const type = useTwin(kind === 'type' ? id : (twin?.definition.type ?? '')).data;
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
      note: v === undefined ? 'not reported yet' : `${value(v)} ${unitSign(unit(name))}`,
    };
  });
  return { target: target.data, error: target.error, examples, example, properties, unit };
}

function useTwin(id: string) {
  return useQuery({
    queryKey: keys.twin(id),
    queryFn: ({ signal }) => ok(api.GET('/function/twins/twins/{id}', { params: { path: { id } }, signal })),
    enabled: id !== '',
  });
}

function membersOf(id: string, kind: Twin['kind'] | undefined) {
  const query = { kind: 'instance', [kind === 'type' ? 'type' : 'aggregate']: id, limit: 100, view: 'row' } as const;
  return {
    queryKey: keys.twins(query),
    queryFn: ({ signal }: { signal: AbortSignal }) =>
      ok(api.GET('/function/twins/twins', { params: { query }, signal })),
    enabled: kind === 'type' || kind === 'aggregate',
  };
}
