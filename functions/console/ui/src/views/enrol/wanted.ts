import { serialFault, type Wish } from './make';

/** Stands in the list of owners for a group that is still to be made. No group can be called that. */
export const newGroup = '+';

/** The form as it is being filled in. */
export interface Wanted {
  several: boolean;
  serial: string;
  pattern: string;
  uses: string;
  /** One serial a line. */
  known: string;
  owner: string;
  group: string;
  expires: string;
  region: string;
  site: string;
}

export const first: Wanted = {
  several: false,
  serial: '',
  pattern: '',
  uses: '10',
  known: '',
  owner: '',
  group: '',
  expires: '24h',
  region: '',
  site: '',
};

const mostKnown = 100;
const mostUses = 100_000;

const lines = (text: string) => [
  ...new Set(
    text
      .split('\n')
      .map((l) => l.trim())
      .filter(Boolean),
  ),
];

/** What is wrong with a form, by field. */
export function faultsOf(w: Wanted): Record<string, string> {
  const faults: Record<string, string> = {};
  if (w.owner === newGroup && !/^[a-z0-9][a-z0-9._@-]{0,63}$/.test(w.group.trim()))
    faults.group = '1 to 64 lower-case letters, digits or any of . _ @ -, beginning with a letter or digit.';
  if (!w.several) {
    const f = serialFault(w.serial.trim());
    if (f) faults.serial = f;
    return faults;
  }
  if (!w.pattern.trim()) faults.pattern = 'Say which serials; * stands for every one.';
  const uses = Number(w.uses);
  if (!Number.isInteger(uses) || uses < 1 || uses > mostUses) faults.uses = 'A whole number from 1 to 100,000.';
  const known = lines(w.known);
  const bad = known.find((s) => serialFault(s));
  if (known.length > mostKnown) faults.known = `${known.length} lines; at most ${mostKnown}.`;
  else if (bad) faults.known = `“${bad.slice(0, 64)}” cannot be a serial: ${serialFault(bad)}`;
  return faults;
}

/** What a form without faults asks for. */
export function wishOf(type: string, w: Wanted): Wish {
  const made = w.owner === newGroup;
  return {
    type,
    owner: made ? w.group.trim() : w.owner,
    newOwner: made,
    serial: w.several ? '' : w.serial.trim(),
    pattern: w.several ? w.pattern.trim() : '',
    known: w.several ? lines(w.known) : [],
    uses: Number(w.uses),
    expires: w.expires,
    region: w.region.trim(),
    site: w.site.trim(),
  };
}
