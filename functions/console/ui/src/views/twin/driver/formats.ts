// How payloads are read where there is no driver (shared/driver/format).

/** The formats, each with what it is. */
export const formats: readonly (readonly [id: string, words: string])[] = [
  ['', 'the platform’s own JSON or CBOR'],
  ['json', 'JSON: an object of values'],
  ['cbor', 'CBOR: a map of values'],
  ['compact', 'CBOR with the numbers of the model’s properties'],
  ['senml+json', 'SenML in JSON (RFC 8428)'],
  ['senml+cbor', 'SenML in CBOR (RFC 8428)'],
  ['plain', 'one number or text, named by the topic'],
];

/** What a format is. */
export const formatWords = (id: string | undefined) => formats.find(([f]) => f === (id ?? ''))?.[1] ?? id;
