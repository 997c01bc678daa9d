import type { Model, Property, Reading } from '@/api/types';

/** What a type declares and a device reports are brought together: declared ones first, in the type's order. */
export function propertiesOf(
  reported: Pick<Reading, 'property' | 'value'>[],
  model: Model | undefined,
): { numbers: Property[]; states: Property[] } {
  const values = new Map(reported.map((r) => [r.property, r.value]));
  const declared = model?.properties ?? [];
  const known = new Set(declared.map((p) => p.name));
  const all: Property[] = [
    ...declared.filter((p) => values.has(p.name)),
    ...reported.filter((r) => !known.has(r.property)).map((r) => ({ name: r.property })),
  ];
  // What came counts: a number that is declared as text is still a number.
  const isNumber = (p: Property) => typeof values.get(p.name) === 'number';
  return { numbers: all.filter(isNumber), states: all.filter((p) => !isNumber(p)) };
}
