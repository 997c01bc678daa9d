// Claim files made on this page. They hold a secret that the platform tells once, so they are kept in memory only: not in the
// address, not in the browser's storage, and not for who signs in next.
import { session } from '@/api/session';
import type { ClaimFile } from '@/api/types';

/** What is handed over: the claim file, and the serial of the one device it is for, '' if it is for several. */
export interface Given {
  file: ClaimFile;
  serial: string;
}

const kept = new Map<string, Given>();

export const given = {
  keep: (g: Given) => void kept.set(g.file.claim.id, g),
  get: (claim: string) => kept.get(claim),
  all: () => [...kept.values()],
};

session.subscribe((s) => !s && kept.clear());
