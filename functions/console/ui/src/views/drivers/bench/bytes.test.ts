import { describe, expect, it } from 'vitest';
import {
  decodeText,
  encodeText,
  fromBase64,
  hexOf,
  mostBytes,
  readBytes,
  shownOf,
  textOf,
  toBase64,
  toHex,
  write,
} from './bytes';

const hex = (text: string) => {
  const r = readBytes(text, 'hex');
  return r.bytes ? toHex(r.bytes) : r.fault;
};
const base64 = (text: string) => {
  const r = readBytes(text, 'base64');
  return r.bytes ? toHex(r.bytes) : r.fault;
};

it('says where hexadecimal digits may be base64', () => {
  expect(hex('A2cBEAVnAP8=')).toMatch(/hexadecimal.* It may be base64: choose that above\.$/);
  for (const slip of ['08 9x', '089x', '08:98:6g:00', 'CIg']) expect(hex(slip)).not.toMatch(/base64/);
});

describe('bytes as hexadecimal digits', () => {
  it.each([
    ['', ''],
    ['0898FF', '08 98 ff'],
    [' 08 98\n64 ', '08 98 64'],
    ['0x08, 0x98, 0X64', '08 98 64'],
    ['0x089864', '08 98 64'],
    ['08:98:64', '08 98 64'],
    ['08-98-64', '08 98 64'],
    ['00 0 0', '00 00'],
  ])('reads %j', (text, want) => expect(hex(text)).toBe(want));

  it.each([
    ['08 9g', '“g” at 5 is not a hexadecimal digit, 0 to 9 or a to f.'],
    ['x08', '“x” at 1 is not a hexadecimal digit, 0 to 9 or a to f.'],
    ['08 🦫', '“🦫” at 4 is not a hexadecimal digit, 0 to 9 or a to f.'],
    ['08 \u202e', '“�” at 4 is not a hexadecimal digit, 0 to 9 or a to f.'],
    ['08 9', 'A byte has two digits: the one at 4 is alone.'],
  ])('says what is wrong with %j', (text, want) => expect(hex(text)).toBe(want));

  it('takes as many as a message may have', () => {
    expect(hex('00'.repeat(mostBytes + 1))).toBe('262145 bytes are too many: a message has at most 262144.');
    expect(readBytes('00'.repeat(mostBytes), 'hex').bytes).toHaveLength(mostBytes);
  });
});

describe('bytes as base64', () => {
  it.each([
    ['', ''],
    ['CJhk', '08 98 64'],
    [' CJ\nhk ', '08 98 64'],
    ['CJg=', '08 98'],
    ['CJg', '08 98'],
    ['CA==', '08'],
    ['-_8', 'fb ff'],
    ['+/8', 'fb ff'],
  ])('reads %j', (text, want) => expect(base64(text)).toBe(want));

  it.each([
    ['CJ hk!', '“!” at 6 is not base64: letters, digits, + and /.'],
    ['CJg=CJ', 'The = at 4 ends base64, but more follows at 5.'],
    ['CJhkC', 'Base64 has 2, 3 or 4 characters at its end: one is missing.'],
  ])('says what is wrong with %j', (text, want) => expect(base64(text)).toBe(want));

  it('gives back what it was given, also much', () => {
    const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7) % 256);
    expect(fromBase64(toBase64(bytes))).toEqual(bytes);
  });
});

describe('bytes as text', () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  it.each(['{"POWER":"ON"}', 'a;b\n21,5 °C\t🦫', ''])('takes %j as it is, and back', (text) => {
    expect(readBytes(text, 'text').bytes).toEqual(bytes(text));
    expect(write(bytes(text), 'text')).toBe(text);
  });
  it.each([
    ['no UTF-8', Uint8Array.of(0x61, 0xff)],
    ['a null', bytes('a\0')],
    ['line ends that a field would change', bytes('a\r\n')],
    ['a mark that nobody sees', bytes('\ufeffa')],
  ])('is not %s', (_, b) => expect(textOf(b)).toBeUndefined());
  it('shows what is JSON, and no more of it than is wanted', () => {
    expect(shownOf(encodeText('{"on":1}'), 24)).toBe('{"on":1}');
    expect(shownOf(encodeText('{"on":1}'), 1)).toBe('{"on …');
    expect(shownOf('CJhk', 2)).toBe('08 98 …');
    expect(shownOf(encodeText('ON'), 24)).toBe('4f 4e');
  });
});

it('shows the beginning of many bytes', () => {
  expect(hexOf('CJhk', 2)).toBe('08 98 …');
  expect(hexOf('CJhk', 3)).toBe('08 98 64');
  expect(hexOf(undefined)).toBe('');
});

it('writes code as it is sent, and reads what is text', () => {
  expect(decodeText(encodeText('// 21.5 °C'))).toBe('// 21.5 °C');
  expect(decodeText(toBase64(Uint8Array.of(0, 0x61, 0x73, 0x6d, 0xff)))).toBeUndefined();
});
