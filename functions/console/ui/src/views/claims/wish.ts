// A new claim as a form, and as the platform wants it.
import type { NewClaim } from '@/api/types';
import { literally, serialFault } from '@/views/enrol/make';

/** Which serials a claim lets in. */
export type Whom = 'any' | 'pattern' | 'named' | 'labels';

export interface Wish {
  type: string;
  owner: string;
  whom: Whom;
  pattern: string;
  /** One serial a line. */
  serials: string;
  /** The named serials are made known, where they are few. */
  known: boolean;
  uses: string;
  expires: string;
  batch: string;
  temporary: boolean;
  note: string;
  protocol: string;
  region: string;
  site: string;
}

export const first: Wish = {
  type: '',
  owner: '',
  whom: 'pattern',
  pattern: '',
  serials: '',
  known: true,
  uses: '',
  expires: '24h',
  batch: '',
  temporary: false,
  note: '',
  protocol: 'mqtt',
  region: '',
  site: '',
};

const mostNamed = 10_000;
const mostLabels = 200;
const mostUses = 100_000;

/** The serials of a pasted text or file: by lines, commas or semicolons; each once. */
export const serialsIn = (text: string) => [
  ...new Set(
    text
      .split(/[\n\r,;\t]/)
      .map((x) => x.trim().replace(/^"(.*)"$/, '$1'))
      .filter(Boolean),
  ),
];

/** The serials that are to be made known before the claim is. */
export function toBeKnown(w: Wish): string[] {
  if (!w.known || (w.whom !== 'named' && w.whom !== 'labels')) return [];
  const all = serialsIn(w.serials);
  return all.length > mostLabels ? [] : all;
}

/** What is wrong with a form, by field. */
export function faultsOf(w: Wish): Partial<Record<keyof Wish, string>> {
  const faults: Partial<Record<keyof Wish, string>> = {};
  if (!w.type) faults.type = 'Say which type of devices.';
  if (!w.owner) faults.owner = 'Say whose they will be.';
  if (w.whom === 'pattern' && !w.pattern.trim()) faults.pattern = 'Say which serials, like P-*.';
  if (w.whom === 'named' || w.whom === 'labels') {
    const all = serialsIn(w.serials);
    const most = w.whom === 'named' ? mostNamed : mostLabels;
    const bad = all.find(serialFault);
    if (all.length === 0) faults.serials = 'Say the serials, one a line.';
    else if (all.length > most) faults.serials = `${all.length} serials; at most ${most.toLocaleString()}.`;
    else if (bad) faults.serials = `“${bad.slice(0, 64)}” cannot be a serial: ${serialFault(bad)}`;
  }
  if (w.whom === 'labels' && !w.batch.trim()) faults.batch = 'Give the batch a name: its labels are printed by it.';
  else if (w.batch.trim() && !/^[A-Za-z0-9._-]{1,64}$/.test(w.batch.trim()))
    faults.batch = '1 to 64 letters, digits or any of . _ -';
  const uses = Number(w.uses);
  if (w.uses && (!Number.isInteger(uses) || uses < 1 || uses > mostUses))
    faults.uses = 'A whole number from 1 to 100,000.';
  return faults;
}

/** The claims that a form without faults asks for: one, or one for each serial. */
export function claimsOf(w: Wish): NewClaim[] {
  const text = (name: 'batch' | 'note' | 'region' | 'site') => w[name].trim();
  const location = { ...(text('region') && { region: text('region') }), ...(text('site') && { site: text('site') }) };
  const common: NewClaim = {
    type: w.type,
    owner: w.owner,
    expires: w.expires,
    ...(text('batch') && { batch: text('batch') }),
    ...(text('note') && { note: text('note') }),
    ...(w.temporary && { temporary: true }),
    ...(Object.keys(location).length > 0 && { location }),
  };
  const uses = w.uses ? { maxUses: Number(w.uses) } : {};
  switch (w.whom) {
    case 'any':
      return [{ ...common, ...uses }];
    case 'pattern':
      return [{ ...common, ...uses, serials: w.pattern.trim() }];
    case 'named':
      return [{ ...common, ...uses, identities: serialsIn(w.serials) }];
    default:
      // By a pattern that only it matches, so that lists show which it is.
      return serialsIn(w.serials).map((one) => ({ ...common, maxUses: 1, serials: literally(one) }));
  }
}
