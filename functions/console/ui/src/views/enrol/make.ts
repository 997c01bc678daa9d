// What has to be there before a device may come in: a type, its owners' group, its identity, a claim.
import { ApiError, api, ok } from '@/api/client';
import type { NewClaim, NewTwin } from '@/api/types';
import { type Given, given } from '@/parts/claim/given';

/** One more of what may be there already. */
export async function once(made: Promise<unknown>): Promise<void> {
  try {
    await made;
  } catch (e) {
    if (!(e instanceof ApiError && e.status === 409)) throw e;
  }
}

/** Makes a serial known to the platform; a device whose serial is not known is turned away. An owner's counts for claims of `owner` only. */
export const makeIdentity = (serial: string, type: string, owner?: string) =>
  once(ok(api.POST('/function/identities/identities', { body: { serial, type, ...(owner && { owner }) } })));

const makeGroup = (id: string) => once(ok(api.POST('/function/users/groups', { body: { id } })));

export const makeType = (body: NewTwin) => ok(api.POST('/function/twins/twins', { body }));

/** What a person says of the devices that shall come in. */
export interface Wish {
  type: string;
  owner: string;
  /** The group is still to be made. */
  newOwner: boolean;
  /** The one device's serial; '' where `pattern` says which may come. */
  serial: string;
  pattern: string;
  /** Serials of several devices that are to be made known. */
  known: string[];
  uses: number;
  expires: string;
  region: string;
  site: string;
}

/** Makes what is missing, then the claim, and keeps its file for the hand-over. */
export async function makeClaim(w: Wish): Promise<Given> {
  if (w.newOwner) await makeGroup(w.owner);
  for (const s of w.serial ? [w.serial] : w.known) await makeIdentity(s, w.type, w.owner);
  const body: NewClaim = {
    type: w.type,
    owner: w.owner,
    serials: w.serial ? literally(w.serial) : w.pattern,
    maxUses: w.serial ? 1 : w.uses,
    expires: w.expires,
  };
  if (w.region || w.site) body.location = { ...(w.region && { region: w.region }), ...(w.site && { site: w.site }) };
  const file = await ok(api.POST('/function/credentials/claims', { body }));
  const g: Given = { file, serial: w.serial };
  given.keep(g);
  return g;
}

/** The pattern that only this text matches. */
export const literally = (serial: string) => serial.replace(/[*?[\]\\]/g, '\\$&');

const serialPattern = /^[A-Za-z0-9][A-Za-z0-9 ._:/#-]{0,63}$/;

/** Why a serial cannot be one; '' if it can. */
export function serialFault(serial: string): string {
  if (!serial) return 'Say the serial: it is on the device, or choose one.';
  if (serialPattern.test(serial)) return '';
  return '1 to 64 letters, digits, spaces or any of . _ : / # -, beginning with a letter or digit.';
}
