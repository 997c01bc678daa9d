import { describe, expect, it } from 'vitest';
import type { Driver, DriverVersion } from '@/api/types';
import { draftOf, examples, isThere, same, sourceOfDraft } from './bench/draft';
import { canaryWords, deaf, nextVersion, standingOf, thrown, unreadBy, usedOf } from './drivers';

const version = (v: string, state: DriverVersion['state'], canary?: DriverVersion['canary']) =>
  ({ version: v, state, canary }) as DriverVersion;
const ranged = (v: string, state: DriverVersion['state'], firmware: string) => ({ ...version(v, state), firmware });
const driver = (...versions: DriverVersion[]) => ({ name: 'd', versions }) as Driver;

describe('the version that most devices use', () => {
  it.each([
    [
      'the newest that is active',
      [version('3.0.0', 'draft'), version('2.0.0', 'active'), version('1.0.0', 'active')],
      '2.0.0',
    ],
    [
      'one in quarantine, whose messages are parked',
      [version('2.0.0', 'quarantined'), version('1.0.0', 'active')],
      '2.0.0',
    ],
    [
      'not a canary in quarantine, which is over',
      [{ ...version('2.0.0', 'quarantined'), was: 'canary' as const }, version('1.0.0', 'active')],
      '1.0.0',
    ],
    ['the newest, if none is used', [version('2.0.0', 'draft'), version('1.0.0', 'withdrawn')], '2.0.0'],
    ['none of none', [], undefined],
  ])('is %s', (_, versions, want) => expect(usedOf(driver(...versions))?.version).toBe(want));
});

describe('a version in quarantine', () => {
  const standing = (...versions: DriverVersion[]) => standingOf(driver(...versions)).map((v) => v.version);
  it('is for devices until a newer one is active that has all of their firmware', () => {
    const bad = version('2.0.0', 'quarantined');
    expect(standing(bad, version('1.0.0', 'active'))).toEqual(['2.0.0']);
    expect(standing(version('2.0.1', 'draft'), bad)).toEqual(['2.0.0']);
    expect(standing(version('2.0.1', 'canary', { percent: 50 }), bad)).toEqual(['2.0.0']);
    expect(standing(version('2.0.1', 'active'), bad)).toEqual([]);
  });
  it('is for no device if it was a canary', () => {
    const over = { ...version('2.0.0', 'quarantined'), was: 'canary' as const };
    expect(standing(over, version('1.0.0', 'active'))).toEqual([]);
    expect(standing({ ...over, was: 'active' }, version('1.0.0', 'active'))).toEqual(['2.0.0']);
  });
  it('is judged by its own firmware', () => {
    const bad = ranged('2.0.0', 'quarantined', '<2');
    expect(standing(ranged('3.0.0', 'active', '>=2'), bad)).toEqual(['2.0.0']);
    expect(standing(ranged('3.0.0', 'active', '>=2'), ranged('2.1.0', 'active', '1.x || 0.x'), bad)).toEqual([]);
  });
});

it.each([
  ['1.2.3', '1.2.4'],
  ['2.0.0-rc.1', '2.0.0'],
  ['1.0.9+build', '1.0.10'],
  ['odd', '1.0.0'],
])('after %s comes %s', (v, want) => expect(nextVersion(v)).toBe(want));

it('tells where a driver threw, and not who called it', () => {
  const at = 'exception: Error: no header\n    at header (<eval>:5:39)';
  expect(thrown(`${at}\n    at decodeUplink (<eval>:188:50)\n    at <anonymous> (<eval>:217:30)\n`)).toBe(`${at}\n`);
  expect(thrown('too short: look at it\nat most 3 bytes')).toBe('too short: look at it\nat most 3 bytes');
});

it('says who uses a canary', () => {
  expect(canaryWords(version('1.0.0', 'canary', { percent: 10 }))).toBe('10 %');
  expect(canaryWords(version('1.0.0', 'canary', { twins: ['a'] }))).toBe('1 named twin');
  expect(canaryWords(version('1.0.0', 'canary', { percent: 5, twins: ['a', 'b'] }))).toBe('5 % and 2 named twins');
});

describe('a type whose driver reads nothing', () => {
  it.each([
    ['a version is active', [version('2.0.0', 'canary'), version('1.0.0', 'active')], undefined],
    ['there is a draft', [version('1.0.0', 'draft')], /No version of it is active/],
    ['there is a canary only', [version('2.0.0', 'canary'), version('1.0.0', 'withdrawn')], /canary only/],
    ['it is in quarantine', [version('1.0.0', 'quarantined')], /in quarantine/],
    ['there is a stopped canary', [{ ...version('1.0.0', 'quarantined'), was: 'canary' as const }], /No version of it/],
    ['there is nothing', [], /no version/],
  ])('says why where %s', (_, versions, why) => {
    const said = unreadBy(driver(...versions), 'press')?.why;
    if (why) expect(said).toMatch(why);
    else expect(said).toBeUndefined();
  });
  it('says whose it is', () => {
    const theirs = { ...driver(version('1.0.0', 'active')), owner: 'paint' };
    expect(unreadBy(theirs, 'press')?.why).toMatch(/group paint.*press/);
    expect(unreadBy(theirs, undefined)).toBeUndefined();
    expect(unreadBy(theirs, 'paint')).toBeUndefined();
  });
});

it('says which drivers cannot react', () => {
  const of = (kind: DriverVersion['kind']) => deaf(driver({ ...version('1.0.0', 'active'), kind }));
  expect(of('declarative')).toMatch(/a document: only WebAssembly/);
  expect(of('javascript')).toMatch(/JavaScript: only WebAssembly/);
  expect(of('wasm')).toBeUndefined();
  expect(deaf(driver())).toBeUndefined();
});

describe('a draft', () => {
  const source = {
    name: 'd',
    version: '1.0.0',
    kind: 'javascript' as const,
    maker: 'Acme',
    code: 'Ly8gwrA=',
    limit: 5,
  };
  it('is what was published until it is changed, and then goes there with all that is known of it', () => {
    const draft = draftOf(source);
    expect(draft.text).toBe('// °');
    expect(same(draft, draftOf(source))).toBe(true);
    expect(same({ ...draft, text: '' }, draft)).toBe(false);
    expect(same({ ...draft, tests: [] }, draft)).toBe(false);
    expect(sourceOfDraft(draft)).toEqual(source);
    expect(sourceOfDraft(draft, { version: '1.0.1' })).toEqual({ ...source, version: '1.0.1' });
  });
  it('keeps a module as it is', () => {
    const module = { ...source, kind: 'wasm' as const, code: 'AGFzbQ==' };
    expect(draftOf(module)).toMatchObject({ text: '', module: 'AGFzbQ==' });
    expect(sourceOfDraft(draftOf(module))).toEqual(module);
  });
  it('has a name for the trial, and is there once it has code', () => {
    expect(sourceOfDraft(examples.javascript)).toMatchObject({ name: 'draft', version: '1.0.0' });
    expect(isThere(examples.declarative)).toBe(true);
    expect(isThere(examples.wasm)).toBe(false);
  });
});
