// The reader's side of HPKE (RFC 9180), base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM: what a browser's own
// cryptography can do without any library. Its other side is shared/seal.

/** Names the cipher, before the public key and before what is sealed to it. */
const named = 'aes-128-gcm:';

/** A key pair of this page. The private half cannot leave the browser's keeping, and is gone with the page. */
export interface Pair {
  /** As the platform takes it. */
  publicKey: string;
  open: (info: string, sealed: string) => Promise<string>;
}

/** Whether a public key is one that such a page has made. */
export const ofPage = (publicKey: string | undefined) => !!publicKey?.startsWith(named);

/** Makes a key pair, if the browser can: on plain HTTP it hides its cryptography, and old ones know no X25519. */
export async function newPair(): Promise<Pair> {
  if (!globalThis.crypto?.subtle)
    throw new Error('this page is not served by HTTPS, so the browser keeps its cryptography back');
  let pair: CryptoKeyPair;
  try {
    pair = (await crypto.subtle.generateKey({ name: 'X25519' }, false, ['deriveBits'])) as CryptoKeyPair;
  } catch {
    throw new Error('this browser does not know X25519');
  }
  const raw = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey));
  return {
    publicKey: named + btoa(String.fromCharCode(...raw)),
    open: async (info, sealed) => {
      if (!sealed.startsWith(named)) throw new Error('the secret is sealed with another cipher');
      const bytes = Uint8Array.from(atob(sealed.slice(named.length)), (c) => c.charCodeAt(0));
      const plain = await open(pair.privateKey, raw, text(info), bytes).catch(() => {
        throw new Error('it is sealed to the key of another page');
      });
      return new TextDecoder().decode(plain);
    },
  };
}

type Bytes = Uint8Array<ArrayBuffer>;

const text = (s: string): Bytes => new TextEncoder().encode(s);
const none = new Uint8Array(0);
const kem = join(text('KEM'), two(0x0020));
const suite = join(text('HPKE'), two(0x0020), two(0x0001), two(0x0001));
const size = 32; // of a key, and of SHA-256

/** Opens enc || ciphertext (section 5.1.1, single-shot). */
export async function open(privateKey: CryptoKey, publicKey: Bytes, info: Bytes, sealed: Bytes, aad: Bytes = none) {
  if (sealed.length < size + 16) throw new Error('the sealed text is too short');
  const enc = sealed.slice(0, size);
  const theirs = await crypto.subtle.importKey('raw', enc, { name: 'X25519' }, false, []);
  const shared = await crypto.subtle.deriveBits({ name: 'X25519', public: theirs }, privateKey, 256);
  const eae = await extract(kem, none, 'eae_prk', new Uint8Array(shared));
  const secret = await expand(kem, eae, 'shared_secret', join(enc, publicKey), size);
  const context = join(
    new Uint8Array([0]), // base mode
    await extract(suite, none, 'psk_id_hash', none),
    await extract(suite, none, 'info_hash', info),
  );
  const schedule = await extract(suite, secret, 'secret', none);
  const key = await expand(suite, schedule, 'key', context, 16);
  const iv = await expand(suite, schedule, 'base_nonce', context, 12);
  const cipher = await crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['decrypt']);
  return crypto.subtle.decrypt({ name: 'AES-GCM', iv, additionalData: aad }, cipher, sealed.slice(size));
}

/** LabeledExtract (section 4). */
const extract = (of: Bytes, salt: Bytes, label: string, ikm: Bytes) =>
  hmac(salt.length > 0 ? salt : new Uint8Array(size), join(text('HPKE-v1'), of, text(label), ikm));

/** LabeledExpand (section 4) of at most one block, which is all that this suite needs. */
const expand = async (of: Bytes, prk: Bytes, label: string, info: Bytes, length: number) =>
  (await hmac(prk, join(two(length), text('HPKE-v1'), of, text(label), info, new Uint8Array([1])))).slice(0, length);

async function hmac(key: Bytes, data: Bytes): Promise<Bytes> {
  const k = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', k, data));
}

function two(n: number): Bytes {
  return new Uint8Array([n >> 8, n & 0xff]);
}

function join(...parts: Bytes[]): Bytes {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}
