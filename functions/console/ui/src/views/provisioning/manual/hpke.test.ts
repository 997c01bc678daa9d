// @vitest-environment node
import { expect, it } from 'vitest';
import { newPair, open } from './hpke';

const unhex = (s: string) => Uint8Array.from(s.match(/../g) ?? [], (b) => Number.parseInt(b, 16));
const url = (b: Uint8Array) => Buffer.from(b).toString('base64url');

// RFC 9180, appendix A.1.1: what others seal by the book opens here.
const publicKey = unhex('3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d');
const d = unhex('4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8');
const info = unhex('4f6465206f6e2061204772656369616e2055726e');
const sealed = unhex(
  '37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a',
);
const aad = new TextEncoder().encode('Count-0');

const key = () =>
  crypto.subtle.importKey('jwk', { kty: 'OKP', crv: 'X25519', d: url(d), x: url(publicKey) }, 'X25519', false, [
    'deriveBits',
  ]);

it('opens the vector of the RFC', async () => {
  const plain = await open(await key(), publicKey, info, sealed, aad);
  expect(new TextDecoder().decode(plain)).toBe('Beauty is truth, truth beauty');
});

it('opens nothing that was changed, cut, or meant for another purpose', async () => {
  const k = await key();
  const changed = sealed.map((b, i) => (i === 50 ? b ^ 1 : b));
  await expect(open(k, publicKey, info, changed, aad)).rejects.toThrow();
  await expect(open(k, publicKey, info, sealed.slice(0, 40), aad)).rejects.toThrow('too short');
  await expect(open(k, publicKey, new Uint8Array(1), sealed, aad)).rejects.toThrow();
});

it('makes a key that names its cipher, and refuses what another cipher sealed', async () => {
  const pair = await newPair();
  expect(pair.publicKey).toMatch(/^aes-128-gcm:[A-Za-z0-9+/]{43}=$/);
  await expect(pair.open('x', 'AAAA')).rejects.toThrow('another cipher');
});
