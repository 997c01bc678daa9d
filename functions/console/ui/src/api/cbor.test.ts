import { expect, it } from 'vitest';
import { cbor } from './cbor';

const hex = (v: unknown) => Array.from(cbor(v), (b) => b.toString(16).padStart(2, '0')).join('');

// The examples are RFC 8949's, appendix A.
it.each([
  [0, '00'],
  [23, '17'],
  [24, '1818'],
  [100, '1864'],
  [1000, '1903e8'],
  [1_000_000, '1a000f4240'],
  [1_000_000_000_000, '1b000000e8d4a51000'],
  [-1, '20'],
  [-100, '3863'],
  [-1000, '3903e7'],
  [1.1, 'fb3ff199999999999a'],
  [-4.1, 'fbc010666666666666'],
  [1e300, 'fb7e37e43c8800759c'],
  [-0, 'fb8000000000000000'],
  [false, 'f4'],
  [true, 'f5'],
  [null, 'f6'],
  [Uint8Array.of(1, 2, 3, 4), '4401020304'],
  ['', '60'],
  ['IETF', '6449455446'],
  ['水', '63e6b0b4'],
  [[], '80'],
  [[1, [2, 3], [4, 5]], '8301820203820405'],
  [{ a: 1, b: [2, 3] }, 'a26161016162820203'],
  [{ a: 1, left: undefined }, 'a1616101'],
])('writes %j', (value, want) => expect(hex(value)).toBe(want));

it('writes many bytes', () => {
  const written = cbor(new Uint8Array(70_000).fill(7));
  expect(written).toHaveLength(70_005);
  expect(Array.from(written.subarray(0, 6))).toEqual([0x5a, 0, 1, 0x11, 0x70, 7]);
});
