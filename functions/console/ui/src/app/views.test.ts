import { expect, it } from 'vitest';
import { placeAt, placesOf } from './views';

it.each([
  ['/', '', 'Fleet', true],
  ['/', 'kind=groups', 'Fleet', true],
  ['/', 'kind=types&q=pump', 'Types', true],
  ['/twins/a', '', 'Fleet', false],
  ['/types/pump', 'tab=driver', 'Types', false],
  ['/runs/1', '', 'Provisioning', false],
  ['/drivers/acme', 'tab=bench', 'Drivers', true],
  ['/new-driver', '', undefined, false],
])('%s?%s belongs to %s', (path, search, label, own) => {
  const at = placeAt(path, search);
  expect([at.place?.label, at.own]).toEqual([label, own]);
});

it('leads developers to the drivers', () => {
  const of = (role: 'owner' | 'developer') =>
    placesOf({ id: 'ada', roles: [role], groups: [], created: '' }).map((p) => p.label);
  expect(of('developer')).toContain('Drivers');
  expect(of('owner')).not.toContain('Drivers');
});
