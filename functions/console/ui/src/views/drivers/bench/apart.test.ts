import { expect, it } from 'vitest';
import { apart } from './apart';

it.each([
  ['21.5', '215', ['', '21.5', '215', '']],
  ['1.25', '1.255', ['', '1.25', '1.255', '']],
  ['{"a":21.5}', '{"a":31.5}', ['{"a":', '21.5', '31.5', '}']],
  ['"open"', '"closed"', ['"', 'open', 'closed', '"']],
  ['nothing', '7', ['', 'nothing', '7', '']],
  ['[1,2]', '[1,2,3]', ['[1,2', '', ',3', ']']],
  ['"a🦫"', '"a🦊"', ['"a', '🦫', '🦊', '"']],
  ['same', 'same', ['same', '', '', '']],
])('%j and %j', (want, got, parts) => {
  const a = apart(want, got);
  expect([a.head, a.want, a.got, a.tail]).toEqual(parts);
});

it('leaves out what is far from the difference', () => {
  const long = 'x'.repeat(100);
  const a = apart(`"${long}one${long}"`, `"${long}two${long}"`);
  expect(a.head).toBe(`…${'x'.repeat(24)}`);
  expect(a.tail).toBe(`${'x'.repeat(24)}…`);
  expect([a.want, a.got]).toEqual(['one', 'two']);
});
