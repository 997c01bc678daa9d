import type { NewTwin } from '@/api/types';

/** A type as it is being written. */
export interface Draft {
  name: string;
  /** '' = made of the name. */
  id: string;
  /** The group that the type belongs to; '' = nobody's, which maintainers alone may make. */
  owner: string;
  properties: { key: number; name: string; unit: string }[];
}

/** An id made of a name: "Kühlpumpe 3" → "kuhlpumpe-3". */
export function idOf(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 64)
    .replace(/^-+|-+$/g, '');
}

/** What is wrong with a draft, by field: "name", "id", "property KEY". Properties without a name are left out, not wrong. */
export function draftFault(d: Draft): Record<string, string> {
  const faults: Record<string, string> = {};
  const id = d.id.trim() || idOf(d.name);
  if (!d.name.trim() && !d.id.trim()) faults.name = 'Say what these devices are called.';
  else if (!id) faults.id = 'Choose an id: none can be made of this name.';
  else if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(id))
    faults.id = '1 to 64 letters, digits or any of . _ -, beginning with a letter or digit.';
  const seen = new Set<string>();
  for (const p of d.properties) {
    const name = p.name.trim();
    if (/[\s<>=!]/.test(name)) faults[`property ${p.key}`] = 'Without spaces and without < > = !';
    else if (name && seen.has(name)) faults[`property ${p.key}`] = 'This one is there already.';
    seen.add(name);
  }
  return faults;
}

/** The type that a draft without faults describes. It names no provisioning model, so the platform's automatic one counts. */
export function newTwin(d: Draft): NewTwin {
  const properties = d.properties
    .filter((p) => p.name.trim())
    .map((p) => ({ name: p.name.trim(), ...(p.unit.trim() && { unit: p.unit.trim() }) }));
  return {
    id: d.id.trim() || idOf(d.name),
    kind: 'type',
    definition: {
      name: d.name.trim(),
      ...(d.owner && { owner: d.owner }),
      model: { properties },
    },
  };
}
