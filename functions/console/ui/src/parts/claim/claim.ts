// Claims in words, and as the text that a QR code carries.
import { useQuery } from '@tanstack/react-query';
import type { Claim, ClaimFile } from '@/api/types';
import type { Tone } from '@/parts/Badge';
import { plural } from '@/parts/format';

/** Whether a claim still lets somebody in. */
export const open = (c: Claim, now: number) => !c.revoked && c.used < c.maxUses && Date.parse(c.expires) > now;

/** How a claim is. The platform says so too, but a page that is looked at for long sees it expire by itself. */
export function claimState(c: Claim, now: number): { id: NonNullable<Claim['state']>; word: string; tone: Tone } {
  if (c.revoked) return { id: 'revoked', word: 'revoked', tone: 'neutral' };
  if (c.used >= c.maxUses) return { id: 'used', word: 'used up', tone: 'neutral' };
  if (Date.parse(c.expires) <= now) return { id: 'expired', word: 'expired', tone: 'neutral' };
  return { id: 'open', word: 'open', tone: 'ok' };
}

/** Which serials a claim lets in. */
export function serialsOf(c: Claim): string {
  if (c.listed) return plural(c.listed, 'named serial');
  return c.serials ? c.serials.replaceAll('\\', '') : 'any serial';
}

const protocols = new Map([
  ['tls', 'MQTT'],
  ['grpcs', 'gRPC'],
  ['https', 'HTTP'],
]);

/** The protocol that a gateway's address is for. */
export const protocolOf = (url: string) => protocols.get(url.split('://')[0] ?? '') ?? '';

/** A claim file for devices that speak another protocol. */
export const forProtocol = (f: ClaimFile, protocol: string): ClaimFile => ({
  ...f,
  gateway: f.gateways?.[protocol] ?? f.gateway,
});

/**
 * The claim as one line, which is what `castor-agent run --claim` takes and a QR code carries: castor://claim?g=…&i=…&t=…&y=…&f=…
 * It names the CA by its fingerprint. undefined where the browser reckons none (pages without TLS, of another machine).
 */
export async function claimText(f: ClaimFile): Promise<string | undefined> {
  const der = /-----BEGIN CERTIFICATE-----([^-]+)-----END/.exec(f.ca)?.[1]?.replace(/\s/g, '');
  const [scheme, address] = f.gateway.split('://');
  if (!der || !scheme || !address || !globalThis.crypto?.subtle) return undefined;
  const bytes = Uint8Array.from(atob(der), (c) => c.charCodeAt(0));
  const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const print = btoa(String.fromCharCode(...sum))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');
  const v = new URLSearchParams({ g: address, i: f.claim.id, t: f.token, y: f.claim.type, f: print });
  if (scheme !== 'tls') v.set('p', scheme);
  return `castor://claim?${v}`;
}

/** What a claim's QR code says: the short line, or the whole file where that cannot be made. */
export function useClaimText(f: ClaimFile): string | undefined {
  const { data } = useQuery({
    queryKey: ['claim-text', f.claim.id, f.gateway],
    queryFn: async () => (await claimText(f)) ?? JSON.stringify(f),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0, // it has the secret
  });
  return data;
}
