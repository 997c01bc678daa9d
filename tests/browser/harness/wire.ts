import { generateKeyPairSync } from 'node:crypto';
import { request } from 'node:https';
import type { Platform } from './platform';

/** A device that has nothing but HTTPS: it trusts the platform's CA, and says what a story has it say. */
export class Wire {
  private constructor(
    private readonly gateway: string,
    private readonly ca: string,
  ) {}

  /** At a gateway's address; '' = the platform's provisioning gateway for HTTP. */
  static async at(p: Platform, gateway = ''): Promise<Wire> {
    const ca = await (await fetch(`${p.url}/function/credentials/ca`)).text();
    const all = gateway ? [] : await p.api.all('gateways/gateways');
    const url = gateway || all.find((g) => g.phase === 'provisioning' && g.protocol === 'http').url;
    return new Wire(url.replace(/\/$/, ''), ca);
  }

  /** Posts JSON, with a token if it has one. */
  post<T = any>(path: string, body: unknown, token = ''): Promise<{ status: number; body: T }> {
    return new Promise((go, fail) => {
      const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) };
      const r = request(this.gateway + path, { method: 'POST', ca: this.ca, headers }, (a) => {
        let text = '';
        a.setEncoding('utf8');
        a.on('data', (d) => {
          text += d;
        });
        a.on('end', () => go({ status: a.statusCode ?? 0, body: text ? JSON.parse(text) : undefined }));
      });
      r.on('error', fail);
      r.end(JSON.stringify(body));
    });
  }
}

/** A public key as devices show it: base64 of the 32 bytes of X25519. */
export function publicKey(): string {
  const { x } = generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' });
  return Buffer.from(x ?? '', 'base64url').toString('base64');
}
