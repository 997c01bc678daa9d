import type { Property, Reading, Twin } from '@/api/types';

/** What a type says of the properties of its instances, by name, in the order in which it says it. */
export type Properties = ReadonlyMap<string, Property>;

/**
 * The reading that stands for a twin in a list: what its type names first, because that is what the type is about; else the newest.
 */
export function newest(t: Twin, properties: Properties | undefined): Reading | undefined {
  const all = t.live.reported ?? [];
  if (properties && all.length > 0) {
    const by = new Map(all.map((r) => [r.property, r]));
    for (const name of properties.keys()) {
      const r = by.get(name);
      if (r) return r;
    }
  }
  return all.reduce<Reading | undefined>((a, b) => (a && a.at >= b.at ? a : b), undefined);
}
