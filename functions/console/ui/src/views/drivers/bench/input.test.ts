import { describe, expect, it } from 'vitest';
import { callOf, firstInput, fromParked, inputOf, testOf } from './input';

const input = { ...firstInput, bytes: '08 98 64' };

describe('the call that an input is', () => {
  it('has bytes, port, topic and time', () => {
    const i = { ...input, port: ' 2 ', topic: ' tele/x/SENSOR ', time: '2026-03-01T12:00:00+01:00' };
    expect(callOf(i, 'javascript')).toEqual({
      call: { op: 'decodeUplink', bytes: 'CJhk', port: 2, topic: 'tele/x/SENSOR', time: '2026-03-01T11:00:00.000Z' },
      faults: {},
    });
    expect(callOf({ ...input, encoding: 'base64', bytes: 'CJhk' }, 'javascript').call?.bytes).toBe('CJhk');
  });

  it('has data where a command is written', () => {
    const i = { ...firstInput, op: 'encodeDownlink' as const, data: '{"interval": 60}' };
    expect(callOf(i, 'javascript').call).toEqual({ op: 'encodeDownlink', data: { interval: 60 } });
    expect(callOf({ ...i, data: '' }, 'javascript').faults.data).toContain('Give the data as JSON');
    expect(callOf({ ...i, data: '{' }, 'javascript').faults.data).toContain('This is not JSON');
  });

  it('has the command beside the data for a script, and within for others', () => {
    const i = { ...firstInput, op: 'encodeDownlink' as const, command: ' open ', data: '{"percent": 40}' };
    const js = { op: 'encodeDownlink', command: 'open', data: { percent: 40 } };
    const others = { op: 'encodeDownlink', data: { command: 'open', input: { percent: 40 } } };
    expect(callOf(i, 'javascript').call).toEqual(js);
    expect(callOf(i, 'declarative').call).toEqual(others);
    expect(callOf(i, 'wasm').call).toEqual(others);
    const written = { ...i, command: 'open', data: '{\n  "percent": 40\n}' };
    expect(inputOf(callOf(i, 'javascript').call!, 'javascript')).toEqual(written);
    expect(inputOf(callOf(i, 'declarative').call!, 'declarative')).toEqual(written);
    // What is no object is its value, and nothing an object without members: what is asked of people's commands, too.
    for (const [data, script, input] of [
      ['40', { value: 40 }, { input: 40 }],
      ['[1]', { value: [1] }, { input: [1] }],
      ['', {}, {}],
      ['null', {}, {}],
    ] as const) {
      expect(callOf({ ...i, data }, 'javascript').call?.data).toEqual(script);
      expect(callOf({ ...i, data }, 'wasm').call?.data).toEqual({ command: 'open', ...input });
    }
    for (const command of ['1st', 'o pen', 'a'.repeat(65)])
      expect(callOf({ ...i, command }, 'javascript').faults.command).toContain('a letter first');
    expect(callOf({ ...i, data: '{' }, 'wasm').faults.data).toContain('This is not JSON');
    expect(callOf({ ...i, op: 'normalizeUplink' }, 'javascript').call).not.toHaveProperty('command');
  });
  it('keeps data that only look like a command as they are', () => {
    const call = { op: 'encodeDownlink' as const, data: { command: 'open', input: 1, later: 2 } };
    expect(callOf(inputOf(call, 'declarative'), 'declarative').call).toEqual(call);
    const script = { op: 'encodeDownlink' as const, data: { command: 'open' } };
    expect(callOf(inputOf(script, 'javascript'), 'javascript').call).toEqual(script);
  });
  it('has what happened and the state that was left', () => {
    const i = {
      ...firstInput,
      op: 'onEvent' as const,
      event: 'response' as const,
      data: '{"status": "failed"}',
      state: '0x01',
    };
    const call = { op: 'onEvent', kind: 'response', data: { status: 'failed' }, state: 'AQ==' };
    expect(callOf(i, 'wasm').call).toEqual(call);
    expect(inputOf(callOf(i, 'wasm').call!, 'wasm')).toMatchObject({ event: 'response', state: '01' });
    expect(callOf({ ...i, state: '' }, 'wasm').call).not.toHaveProperty('state');
    expect(callOf({ ...i, state: '0' }, 'wasm').faults.state).toContain('two digits');
  });
  it('has the variables of the device', () => {
    const i = { ...input, variables: '{"offset": "0.5"}' };
    expect(callOf(i, 'javascript').call?.variables).toEqual({ offset: '0.5' });
    expect(inputOf(callOf(i, 'javascript').call!, 'javascript').variables).toBe('{"offset":"0.5"}');
    for (const variables of ['{"offset": 0.5}', '["a"]', 'null', 'x'])
      expect(callOf({ ...i, variables }, 'javascript').faults).toHaveProperty('variables');
  });
  it('says what is wrong, field by field', () => {
    const { call, faults } = callOf({ ...input, bytes: '0', port: '256', time: 'noon' }, 'javascript');
    expect(call).toBeUndefined();
    expect(Object.keys(faults).sort()).toEqual(['bytes', 'port', 'time']);
    expect(callOf({ ...input, port: '0' }, 'javascript').faults.port).toContain('1 to 255');
  });

  it('is of text, or of bytes where they are none', () => {
    const i = { ...firstInput, encoding: 'text' as const, bytes: '{"on": 1}' };
    expect(callOf(i, 'javascript').call?.bytes).toBe(btoa(i.bytes));
    expect(inputOf(callOf(i, 'javascript').call!, 'javascript', 'text')).toEqual(i);
    expect(inputOf(callOf(input, 'javascript').call!, 'javascript', 'text')).toEqual(input);
  });

  it('comes back as it was', () => {
    const i = { ...input, port: '2', topic: 'a/b', time: '2026-03-01T11:00:00.000Z' };
    expect(inputOf(callOf(i, 'javascript').call!, 'javascript')).toEqual(i);
  });
});

it('opens a parked message', () => {
  const m = {
    id: '1',
    twin: 't',
    kind: 'undecoded' as const,
    order: { epoch: 1, seq: 1 },
    raw: 'CJhk',
    reason: 'no',
    received: '2026-03-01T11:00:00Z',
    port: 7,
  };
  expect(fromParked(m)).toEqual({ ...firstInput, bytes: '08 98 64', port: '7', time: m.received });
  const json = '{"POWER":"ON"}';
  expect(fromParked({ ...m, raw: btoa(json) })).toMatchObject({ encoding: 'text', bytes: json });
});

describe('a test of a result', () => {
  const call = callOf(input, 'javascript').call!;
  it('expects what it gave', () => {
    const records = [{ time: '2026-03-01T11:00:00Z', data: {} }];
    const r = { data: { temperature: 22 }, warnings: ['old'], log: ['x'], records };
    expect(testOf('warm', call, r)).toEqual({
      name: 'warm',
      op: 'decodeUplink',
      bytes: 'CJhk',
      want: { data: { temperature: 22 }, records },
    });
  });
  it('expects the state and the commands of a reaction, also that there are none', () => {
    const event = { op: 'onEvent' as const, kind: 'telemetry' as const, data: { t: 1 } };
    expect(testOf('mild', event, { state: 'AA==' }).want).toEqual({ state: 'AA==', commands: [] });
    expect(testOf('frost', event, { commands: [{ name: 'heat' }] }).want).toEqual({ commands: [{ name: 'heat' }] });
  });
  it('expects the errors, and nothing else beside them', () => {
    expect(testOf('cut', call, { errors: ['too short'] }).want).toEqual({ errors: ['too short'] });
  });
});

it('says of data that are missing what they are like, and of what a kind of driver never does that it does not', () => {
  const event = { ...firstInput, op: 'onEvent' as const };
  expect(callOf(event, 'wasm').faults.data).toBe('Give the data as JSON, like {"temperature": -0.5}.');
  expect(callOf({ ...firstInput, op: 'encodeDownlink' }, 'wasm').faults.data).toMatch(/"interval"/);
  for (const kind of ['javascript', 'declarative'] as const) {
    expect(callOf({ ...event, data: '{}' }, kind)).toEqual({ faults: { op: 'Only WebAssembly drivers react.' } });
  }
});
