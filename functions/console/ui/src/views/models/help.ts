// What may stand in a model, as the platform's own schema says it.

export interface Parameter {
  name: string;
  required: boolean;
  /** Values that it may have; empty = text. */
  values: string[];
  about: string;
}

export interface Guide {
  actions: { name: string; with: Parameter[] }[];
  triggers: string[];
  fields: { name: string; about: string; required: boolean }[];
}

const record = (v: unknown): Record<string, unknown> =>
  v && typeof v === 'object' && !Array.isArray(v) ? (v as Record<string, unknown>) : {};
const list = (v: unknown): unknown[] => (Array.isArray(v) ? v : []);
const texts = (v: unknown): string[] => list(v).filter((x): x is string => typeof x === 'string');
const text = (v: unknown): string => (typeof v === 'string' ? v : '');
const at = (v: unknown, ...path: string[]): unknown => path.reduce<unknown>((o, name) => record(o)[name], v);

/** Reads the schema; what it does not say is left out. */
export function guideOf(schema: unknown): Guide {
  const state = at(schema, '$defs', 'state');
  const withs = new Map<string, Parameter[]>();
  for (const rule of list(at(state, 'allOf'))) {
    const action = text(at(rule, 'if', 'properties', 'do', 'const'));
    const given = at(rule, 'then', 'properties', 'with');
    const required = texts(at(given, 'required'));
    if (!action) continue;
    withs.set(
      action,
      Object.entries(record(at(given, 'properties'))).map(([name, p]) => ({
        name,
        required: required.includes(name),
        values: texts(at(p, 'enum')).filter(Boolean),
        about: text(at(p, 'description')),
      })),
    );
  }
  const must = texts(at(state, 'required'));
  return {
    actions: texts(at(schema, '$defs', 'action', 'enum')).map((name) => ({ name, with: withs.get(name) ?? [] })),
    triggers: texts(at(schema, '$defs', 'trigger', 'enum')),
    fields: Object.entries(record(at(state, 'properties'))).map(([name, p]) => ({
      name,
      about: text(at(p, 'description')),
      required: must.includes(name),
    })),
  };
}

/** What each action does, in a few words. */
export const does: Record<string, string> = {
  'check-claim': 'The claim covers type and serial; one use of it is taken.',
  'register-identity': 'Makes the serial known for the run’s group.',
  'check-identity': 'The serial is known, and its MAC address, model and type agree.',
  'check-location': 'The device is in a region, as claim or twin say.',
  'create-twin': 'The twin exists, of the claim’s group.',
  'issue-credential': 'The device gets what it will prove itself with.',
  'issue-certificate': 'The same, of kind certificate.',
  'register-gateway': 'A gateway is chosen and told to let the device in.',
  'render-configuration': 'The type’s template is filled in.',
  deliver: 'The device is sent its bundle, or gets it when it asks again.',
  'close-claim': 'A claim that is used up is closed.',
  'erase-credential': 'What was kept for delivery is erased.',
  activate: 'The twin is operational.',
  ask: 'People are asked to decide.',
  instruct: 'An installer is told what to do, and confirms it.',
  notify: 'People are told by the routes of their group.',
  'call-service': 'A service that was found by its capability does a step.',
  withdraw: 'Undoes what the run has made.',
};

/** When each trigger comes. */
export const comes: Record<string, string> = {
  'gateway-ready': 'the gateway lets the device in',
  'device-confirm': 'the device has confirmed at its gateway',
  'device-seen': 'a session of the device began at its gateway',
  'device-asked': 'the device asks again, perhaps with other facts',
  approved: 'people have agreed',
  declined: 'people have refused; without a way for it, that is a refusal',
  confirmed: 'the installer has done it',
  answered: 'the service has answered',
  timer: 'the limit has passed; with a way for it, that is no failure',
};

/** What a condition sees. */
export const sees: [name: string, fields: string][] = [
  ['identity', 'id, serial, mac, model, maker, type, owner: what was registered'],
  ['claim', 'id, owner, type, batch, temporary'],
  ['request', 'serial, mac, model, protocol: what the device says'],
  ['facts', 'what else it says: facts.firmware, has(facts.x)'],
  ['location', 'region, site, latitude, longitude'],
  ['answer', 'of the service: answer.outcome, and its data by name'],
  ['decision', 'trigger, by, reason, at'],
];
