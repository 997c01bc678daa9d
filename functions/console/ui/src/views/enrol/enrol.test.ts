import { describe, expect, it } from 'vitest';
import type { ClaimFile, Run } from '@/api/types';
import { drawn } from '@/parts/claim/Qr';
import { quoted } from '@/parts/shell';
import { addressOf as hrefOf, placeOf } from './address';
import { addressOf, agent, byHand, exampleOf, onlyHere } from './commands';
import { literally, serialFault } from './make';
import { draftFault, idOf, newTwin } from './newType';
import { stagesOf, way } from './progress';
import { remedyOf } from './remedy';
import { faultsOf, first, newGroup, wishOf } from './wanted';

const file = {
  claim: { id: 'claim-1f', type: 'pump', owner: 'press', expires: '', maxUses: 1, used: 0, by: '', created: '' },
  token: 'to-ken_1',
  gateway: 'tls://gw.example:8884',
  ca: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
} as ClaimFile;

describe('address', () => {
  it('leads back to the place it is of, whatever the id', () => {
    for (const type of ['pump', 'a/b?c=d&e#f', '<script>', '\u202eabc'])
      expect(placeOf(new URL(`http://x${hrefOf({ step: 'device', type })}`).searchParams)).toEqual({
        step: 'device',
        type,
      });
    expect(placeOf(new URLSearchParams('claim=c&type=t'))).toEqual({ step: 'watch', claim: 'c' });
    expect(placeOf(new URLSearchParams('step=9'))).toEqual({ step: 'type' });
  });
});

describe('commands', () => {
  it('quotes what a shell would take for its own', () => {
    expect(quoted('P-7')).toBe('P-7');
    expect(quoted('a b')).toBe("'a b'");
    expect(quoted("x'; rm -rf $HOME #")).toBe("'x'\\''; rm -rf $HOME #'");
    expect(quoted('')).toBe("''");
    expect(agent(file, 'Hall 3/7')).toBe("castor-agent run --claim claim-1f.json --dir ./Hall-3-7 --serial 'Hall 3/7'");
  });

  it('asks with the claim on the topic of its type, for a client id that may be one', () => {
    const ask = byHand(file, 'Hall 3/7')[1]?.code ?? '';
    expect(ask).toContain('mosquitto_rr -h gw.example -p 8884');
    expect(ask).toContain('-u claim-1f -P to-ken_1 -i Hall-3-7');
    expect(ask).toContain('-t castor/provision/pump/request -e castor/provision/Hall-3-7/accepted');
    expect(ask).toContain(`-m '{"serial":"Hall 3/7","csr":"'"$(awk`);
  });

  it('reads addresses with and without a port, and of IPv6', () => {
    expect(addressOf('tls://gw:1234')).toEqual({ host: 'gw', port: '1234' });
    expect(addressOf('tls://gw')).toEqual({ host: 'gw', port: '8883' });
    expect(addressOf('tls://[::1]:8884')).toEqual({ host: '::1', port: '8884' });
    for (const here of ['tls://127.0.0.1:8883', 'tls://localhost:1', 'tls://[::1]:8884'])
      expect(onlyHere(here)).toBe(true);
    for (const far of ['tls://gw:1', 'tls://10.0.0.1:1', 'tls://localhost.example']) expect(onlyHere(far)).toBe(false);
  });

  it('finds an example of a pattern, and a pattern of a serial', () => {
    expect(exampleOf('P-*')).toBe('P-1');
    expect(exampleOf('P-[0-9]?')).toBe('P-01');
    expect(exampleOf('')).toBe('device-1');
    expect(literally('a*[b]?')).toBe('a\\*\\[b\\]\\?');
  });
});

describe('forms', () => {
  it('say what a serial may be', () => {
    expect(serialFault('P-7')).toBe('');
    for (const bad of ['', ' P', '-P', 'P\u202e', 'x'.repeat(65), '<b>']) expect(serialFault(bad)).not.toBe('');
  });

  it('ask for one device, or several with their serials', () => {
    expect(Object.keys(faultsOf(first))).toEqual(['serial']);
    const one = { ...first, serial: ' P-7 ', owner: 'press' };
    expect(faultsOf(one)).toEqual({});
    expect(wishOf('pump', one)).toMatchObject({ serial: 'P-7', pattern: '', owner: 'press', newOwner: false });
    const many = {
      ...first,
      several: true,
      pattern: 'P-*',
      uses: '0',
      known: 'P-1\n<x>\n',
      owner: newGroup,
      group: 'X',
    };
    expect(Object.keys(faultsOf(many)).sort()).toEqual(['group', 'known', 'uses']);
    const good = { ...many, uses: '3', known: 'P-1\n P-2 \n\nP-1', group: 'ops' };
    expect(faultsOf(good)).toEqual({});
    expect(wishOf('pump', good)).toMatchObject({
      owner: 'ops',
      newOwner: true,
      serial: '',
      uses: 3,
      known: ['P-1', 'P-2'],
    });
  });

  it('make a type’s id of its name', () => {
    expect(idOf('Kühlpumpe (Halle 3)')).toBe('kuhlpumpe-halle-3');
    expect(draftFault({ name: '泵', id: '', owner: '', properties: [] })).toHaveProperty('id');
    const draft = {
      name: 'Pump',
      id: '',
      owner: 'press',
      properties: [
        { key: 1, name: 'temp', unit: 'Cel' },
        { key: 2, name: '', unit: '' },
        { key: 3, name: 'a b', unit: '' },
        { key: 4, name: 'temp', unit: '' },
      ],
    };
    expect(Object.keys(draftFault(draft))).toEqual(['property 3', 'property 4']);
    expect(newTwin({ ...draft, properties: draft.properties.slice(0, 2) })).toMatchObject({
      id: 'pump',
      kind: 'type',
      definition: { name: 'Pump', owner: 'press', model: { properties: [{ name: 'temp', unit: 'Cel' }] } },
    });
  });
});

// biome-ignore-start lint/suspicious/noThenProperty: a state's field is called so
const model = {
  id: 'automatic',
  version: 1,
  start: 'claim',
  states: [
    { name: 'claim', do: 'check-claim', then: 'identity', else: 'rejected' },
    { name: 'identity', do: 'check-identity', then: 'gateway', else: 'rejected' },
    { name: 'gateway', do: 'register-gateway', await: 'gateway-ready', then: 'operational', else: 'rejected' },
    { name: 'operational', do: 'activate', end: 'completed' },
    { name: 'rejected', do: 'withdraw', end: 'rejected' },
  ],
};
const step = (state: string, action: string | undefined, outcome: string, reason?: string, actor = 'platform') => ({
  at: '2026-01-01T12:00:00Z',
  state,
  action,
  actor,
  outcome,
  reason,
});
const asked = step('claim', undefined, 'done', 'asked', 'device');
const run = (r: object) => ({ model, withdrawing: false, ...r }) as unknown as Run;
const marks = (r: object) => stagesOf(run(r)).map((s) => s.mark);

describe('progress', () => {
  it('goes the way of who is let in, and not round in circles', () => {
    expect(way(model as never).map((w) => w.titles[0])).toEqual([
      'Claim checked',
      'Identity checked',
      'Let in at a gateway',
      'Operational',
    ]);
    const circle = { ...model, states: [{ name: 'claim', then: 'claim' }] };
    expect(way(circle as never)).toHaveLength(1);
  });

  it('shows what is done, what is under way and why it waits', () => {
    const steps = [
      asked,
      step('claim', 'check-claim', 'done'),
      step('identity', 'check-identity', 'done'),
      step('gateway', 'register-gateway', 'waiting', 'for gateway-ready'),
    ];
    expect(marks({ state: 'gateway', steps })).toEqual(['done', 'done', 'now', 'ahead']);
    expect(stagesOf(run({ state: 'gateway', steps }))[2]?.reason).toBe('for gateway-ready');
    expect(marks({ state: 'operational', outcome: 'completed', steps })).toEqual(['done', 'done', 'done', 'done']);
  });

  it('shows where a device was refused, of the last round only', () => {
    const refused = [
      asked,
      step('claim', 'check-claim', 'done'),
      step('identity', 'check-identity', 'refused', 'not known'),
      step('rejected', 'withdraw', 'done'),
    ];
    expect(marks({ state: 'rejected', outcome: 'rejected', steps: refused })).toEqual(['done', 'refused']);
    const again = [...refused, asked, step('claim', 'check-claim', 'done')];
    expect(marks({ state: 'identity', steps: again })).toEqual(['done', 'now', 'ahead', 'ahead']);
  });
});

// biome-ignore-end lint/suspicious/noThenProperty: a state's field is called so

describe('remedies', () => {
  it('are known for what happens most, and there is always one', () => {
    expect(remedyOf('serial "P-7" is not known; register the device\'s identity first').makeKnown).toBe(true);
    expect(remedyOf('claim claim-1 is for serials like P-*, not "X"').text).toMatch(/whose serial/);
    expect(remedyOf('claim claim-1 expired at 2026').text).toMatch(/new claim/);
    expect(remedyOf('').text).not.toBe('');
  });
});

describe('Qr', () => {
  it('draws a claim file with its quiet zone, and nothing where it is too much', () => {
    const code = drawn(JSON.stringify({ ...file, ca: 'x'.repeat(900) }));
    expect(code?.size).toBeGreaterThan(100);
    expect(code?.path).toMatch(/^M4 4h7v1h-7z/); // the first finder, four modules in
    expect(drawn('x'.repeat(5000))).toBeUndefined();
  });
});
