import { describe, expect, it } from 'vitest';
import type { Twin } from '@/api/types';
import { diff, pieces } from './diff';
import { lineAt, startOf, stateAt, stateSpans } from './lines';
import { usesOf } from './models';

const text = `id: mine
# states: not these
start: claim
states:
  - {name: claim, do: check-claim, then: approval}

  # people decide
  - title: Waits
    name: "approval"
    do: ask
    with:
      name: not-this-one
    on:
      - {when: approved, then: done}
  - name: done
    end: completed
note: behind
`;

describe('where the states stand', () => {
  it('finds each with its lines, also where the name is not first', () => {
    expect(stateSpans(text)).toEqual([
      { name: 'claim', from: 5, to: 5 },
      { name: 'approval', from: 8, to: 14 },
      { name: 'done', from: 15, to: 16 },
    ]);
    expect(stateAt(stateSpans(text), 12)?.name).toBe('approval');
    expect(stateAt(stateSpans(text), 2)).toBeUndefined();
  });
  it('reads lists that are not indented, as YAML allows', () => {
    expect(stateSpans('states:\n- name: a\n  do: ask\n- name: b\n').map((s) => s.name)).toEqual(['a', 'b']);
  });
  it('bears anything', () => {
    for (const t of ['', 'states:', 'states: [', '- - -', '{"states": []}']) expect(stateSpans(t)).toEqual([]);
  });
  it('tells lines and where they begin', () => {
    expect(lineAt(text, startOf(text, 8))).toBe(8);
    expect(text.slice(startOf(text, 3)).startsWith('start: claim')).toBe(true);
    expect(startOf('a\nb', 99)).toBe(3);
  });
});

describe('what differs', () => {
  it('tells lines that are gone and new, the common ones once', () => {
    const d = diff('a\nb\nc\nd', 'a\nx\nc\nd\ne');
    expect(d.map((l) => `${l.kind[0]}${l.text}`)).toEqual(['sa', 'gb', 'nx', 'sc', 'sd', 'ne']);
    expect(diff('a', 'a')).toEqual([{ kind: 'same', text: 'a' }]);
  });
  it('leaves out what is far from any difference', () => {
    const many = Array.from({ length: 50 }, (_, i) => `line ${i}`);
    const changed = many.map((l, i) => (i === 5 || i === 40 ? 'other' : l));
    expect(pieces(diff(many.join('\n'), changed.join('\n'))).map((p) => p.length)).toEqual([8, 8]);
    expect(pieces(diff('a', 'a'))).toEqual([]);
  });
});

it('tells which types use a model, and by which condition', () => {
  const type = (id: string, model?: object) => ({ id, kind: 'type', definition: { model } }) as unknown as Twin;
  const uses = usesOf([
    type('pump', { provisioning: 'mine', choices: [{ if: 'claim.batch == "x"', model: 'manual' }] }),
    type('host'),
  ]);
  expect(uses.get('manual')?.map((u) => [u.type.id, u.condition])).toEqual([['pump', 'claim.batch == "x"']]);
  expect(uses.get('mine')?.map((u) => u.condition)).toEqual(['']);
  expect(uses.get('automatic')?.map((u) => u.type.id)).toEqual(['host']);
});
