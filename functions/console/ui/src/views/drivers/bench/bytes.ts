// Bytes as people write them, and back.

/** The ways in which bytes are written. */
export type Encoding = 'hex' | 'base64' | 'text';

/** What came of reading bytes: them, or why not. */
export type Read = { bytes: Uint8Array; fault?: undefined } | { bytes?: undefined; fault: string };

/** A driver is given no more at a time. */
export const mostBytes = 256 * 1024;

/**
 * Reads bytes. Blanks, line ends, 0x, and between hexadecimal digits ":", "-" and "," are passed over; the
 * fault names the first character that is wrong. Text is taken as it is, in UTF-8.
 */
export function readBytes(text: string, encoding: Encoding): Read {
  if (encoding === 'text') return bounded(new TextEncoder().encode(text));
  if (encoding === 'base64') return readBase64(text);
  const read = readHex(text);
  return read.fault !== undefined && mayBeBase64(text)
    ? { fault: `${read.fault} It may be base64: choose that above.` }
    : read;
}

/** What network servers show is copied whole; a slip in hexadecimal digits is seldom all base64. */
const mayBeBase64 = (text: string) =>
  /^(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text.trim()) && text.trim().length >= 8;

const isHex = (c: string) => /^[0-9a-f]$/i.test(c);

export function readHex(text: string): Read {
  const digits: number[] = [];
  let place = 0; // as people count, from 1
  let half = 0; // where the last digit that has no partner stands
  let skip = false;
  const chars = [...text];
  for (const [i, c] of chars.entries()) {
    place++;
    if (skip) {
      skip = false; // the x of 0x
      continue;
    }
    if (c === '0' && /^[xX]$/.test(chars[i + 1] ?? '') && digits.length % 2 === 0) {
      skip = true;
      continue;
    }
    if (/[\s:,-]/.test(c)) continue;
    if (!isHex(c)) return { fault: wrong(c, place, 'a hexadecimal digit, 0 to 9 or a to f') };
    digits.push(Number.parseInt(c, 16));
    half = place;
  }
  if (digits.length % 2) return { fault: `A byte has two digits: the one at ${half} is alone.` };
  const bytes = new Uint8Array(digits.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = (digits[2 * i]! << 4) | digits[2 * i + 1]!;
  return bounded(bytes);
}

function readBase64(text: string): Read {
  let digits = '';
  let place = 0;
  let end = 0; // where the first = stands
  for (const c of text) {
    place++;
    if (/\s/.test(c)) continue;
    if (c === '=') {
      end ||= place;
      continue;
    }
    if (!/^[A-Za-z0-9+/_-]$/.test(c)) return { fault: wrong(c, place, 'base64: letters, digits, + and /') };
    if (end) return { fault: `The = at ${end} ends base64, but more follows at ${place}.` };
    digits += c;
  }
  if (digits.length % 4 === 1) return { fault: 'Base64 has 2, 3 or 4 characters at its end: one is missing.' };
  return bounded(fromBase64(digits));
}

const wrong = (c: string, place: number, right: string) =>
  `“${c}” at ${place} is not ${right}.`.replace(/[\p{Cc}\p{Cf}]/gu, '�');

const bounded = (bytes: Uint8Array): Read =>
  bytes.length > mostBytes
    ? { fault: `${bytes.length} bytes are too many: a message has at most ${mostBytes}.` }
    : { bytes };

/** Base64, also the form for addresses, as bytes. What was not checked before throws. */
export function fromBase64(text: string): Uint8Array {
  const plain = atob(text.replace(/-/g, '+').replace(/_/g, '/'));
  return Uint8Array.from(plain, (c) => c.charCodeAt(0));
}

/** Bytes as base64. */
export function toBase64(bytes: Uint8Array): string {
  let plain = '';
  for (let i = 0; i < bytes.length; i += 8192) plain += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(plain);
}

/** Bytes as pairs of digits with blanks between them; of more than `most` bytes the first, and that there are more. */
export function toHex(bytes: Uint8Array, most = Number.POSITIVE_INFINITY): string {
  const text = Array.from(bytes.subarray(0, most), (b) => b.toString(16).padStart(2, '0')).join(' ');
  return bytes.length > most ? `${text} …` : text;
}

/** Base64 as hexadecimal digits, for people. */
export const hexOf = (base64: string | null | undefined, most?: number) => toHex(fromBase64(base64 ?? ''), most);

/** The text that bytes are; undefined if they are none, or have characters that a field for text would not keep. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return /[^\P{C}\n\t]/u.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

/** Whether bytes are a JSON object or list, as people want to read it. */
export const isJson = (bytes: Uint8Array): boolean => /^\s*[{[]/.test(textOf(bytes) ?? '');

/** The beginning of bytes, for people: JSON as it is, all else as hexadecimal digits. */
export function shownOf(base64: string, most: number): string {
  const bytes = fromBase64(base64);
  if (!isJson(bytes)) return toHex(bytes, most);
  const text = [...(textOf(bytes) ?? '')];
  return text.length > 4 * most ? `${text.slice(0, 4 * most).join('')} …` : text.join('');
}

/** Writes bytes in a way; undefined if they are no text, and that is wanted. */
export function write(bytes: Uint8Array, encoding: Encoding): string | undefined {
  if (encoding === 'text') return textOf(bytes);
  return encoding === 'hex' ? toHex(bytes) : toBase64(bytes);
}

/** Text as base64 of its UTF-8, as a driver's code is sent. */
export const encodeText = (text: string) => toBase64(new TextEncoder().encode(text));

/** The text that base64 stands for; undefined if it is none. */
export function decodeText(base64: string): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(fromBase64(base64));
  } catch {
    return undefined;
  }
}
