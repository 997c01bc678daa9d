// The device that a dry run is made with, as a form, and as the platform wants it.
import type { Simulate, SimulatedEvent } from '@/api/types';

export interface Sample {
  type: string;
  serial: string;
  model: string;
  protocol: string;
  /** The serial has been registered. */
  known: boolean;
  maker: string;
  owner: string;
  batch: string;
  temporary: boolean;
  region: string;
  site: string;
  /** One "name = value" a line. */
  facts: string;
}

export const firstSample: Sample = {
  type: 'pump',
  serial: 'P-7',
  model: '',
  protocol: 'mqtt',
  known: true,
  maker: '',
  owner: 'press',
  batch: '',
  temporary: false,
  region: '',
  site: '',
  facts: '',
};

/** An event of the form: what happens, how long after the beginning, and what comes with it. */
export interface Happening {
  /** For the list on the page. */
  key: number;
  when: SimulatedEvent['when'];
  after: string;
  /** The reason of a decision or refusal, or the answer of a service: "grade = a". */
  more: string;
}

export const happenings: readonly SimulatedEvent['when'][] = [
  'gateway-ready',
  'device-confirm',
  'device-asked',
  'device-seen',
  'approved',
  'declined',
  'confirmed',
  'answered',
  'timer',
  'refuse',
  'fail',
];

/** What an event's additional field is for; '' = it has none. */
export function moreOf(when: SimulatedEvent['when']): string {
  if (when === 'answered') return 'Answer';
  if (when === 'device-asked') return 'Facts';
  if (when === 'refuse' || when === 'fail' || when === 'approved' || when === 'declined') return 'Reason';
  return '';
}

/** "a = 1" lines (or parts between commas) as a record. */
export function pairs(text: string): Record<string, string> {
  const out: [string, string][] = [];
  for (const part of text.split(/[\n,]/)) {
    const at = part.indexOf('=');
    const name = part.slice(0, at).trim();
    if (at > 0 && name) out.push([name, part.slice(at + 1).trim()]);
  }
  return Object.fromEntries(out);
}

/** Leaves out what is empty. */
const filled = <T extends object>(o: T): T =>
  Object.fromEntries(Object.entries(o).filter(([, v]) => v !== '' && v !== false)) as T;

/** The call that tries a text with a sample and what happens. */
export function callOf(text: string, s: Sample, events: readonly Happening[]): Simulate {
  const { serial, model, type, owner } = s;
  return {
    text,
    sample: {
      type,
      request: { ...filled({ serial, model, protocol: s.protocol, claim: 'claim-1' }), facts: pairs(s.facts) },
      known: {
        identity: s.known ? filled({ id: serial, serial, model, maker: s.maker, type, owner }) : {},
        claim: filled({ id: 'claim-1', owner, type, batch: s.batch, temporary: s.temporary }),
      },
      location: filled({ region: s.region, site: s.site }),
    },
    events: events.map(eventOf),
  };
}

function eventOf({ when, after, more }: Happening): SimulatedEvent {
  const e: SimulatedEvent = { when, ...(after.trim() && { after: after.trim() }) };
  if (when === 'answered') return { ...e, answer: pairs(more) as SimulatedEvent['answer'] };
  if (when === 'device-asked') return { ...e, facts: pairs(more) };
  if (!more.trim()) return e;
  return { ...e, reason: more.trim(), ...((when === 'approved' || when === 'declined') && { by: 'user:ada' }) };
}
