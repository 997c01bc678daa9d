import { describe, expect, it } from 'vitest';
import { callOf, firstInput, fromParked, inputOf, testOf } from './input';

const input = { ...firstInput, bytes: '08 98 64' };

describe('the call that an input is', () => {
  it('has bytes, port, topic and time', () => {
    const i = { ...input, port: ' 2 ', topic: ' tele/x/SENSOR ', time: '2026-03-01T12:00:00+01:00' };
    expect(callOf(i)).toEqual({
      call: { op: 'decodeUplink', bytes: 'CJhk', port: 2, topic: 'tele/x/SENSOR', time: '2026-03-01T11:00:00.000Z' },
      faults: {},
    });
    expect(callOf({ ...input, encoding: 'base64', bytes: 'CJhk' }).call?.bytes).toBe('CJhk');
  });

  it('has data where a command is written', () => {
    const i = { ...firstInput, op: 'encodeDownlink' as const, data: '{"interval": 60}' };
    expect(callOf(i).call).toEqual({ op: 'encodeDownlink', data: { interval: 60 } });
    expect(callOf({ ...i, data: '' }).faults.data).toContain('Give the data as JSON');
    expect(callOf({ ...i, data: '{' }).faults.data).toContain('This is not JSON');
  });

  it('says what is wrong, field by field', () => {
    const { call, faults } = callOf({ ...input, bytes: '0', port: '256', time: 'noon' });
    expect(call).toBeUndefined();
    expect(Object.keys(faults).sort()).toEqual(['bytes', 'port', 'time']);
    expect(callOf({ ...input, port: '0' }).faults.port).toContain('1 to 255');
  });

  it('is of text, or of bytes where they are none', () => {
    const i = { ...firstInput, encoding: 'text' as const, bytes: '{"on": 1}' };
    expect(callOf(i).call?.bytes).toBe(btoa(i.bytes));
    expect(inputOf(callOf(i).call!, 'text')).toEqual(i);
    expect(inputOf(callOf(input).call!, 'text')).toEqual(input);
  });

  it('comes back as it was', () => {
    const i = { ...input, port: '2', topic: 'a/b', time: '2026-03-01T11:00:00.000Z' };
    expect(inputOf(callOf(i).call!)).toEqual(i);
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
  const call = callOf(input).call!;
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
  it('expects the errors, and nothing else beside them', () => {
    expect(testOf('cut', call, { errors: ['too short'] }).want).toEqual({ errors: ['too short'] });
  });
});
