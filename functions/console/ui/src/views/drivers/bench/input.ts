// What is put into the bench, as a person writes it, and the call that it is.
import type { DriverCall, DriverOp, DriverResult, DriverTest, DriverWant, ParkedMessage } from '@/api/types';
import { type Encoding, fromBase64, isJson, readBytes, toBase64, toHex, write } from './bytes';

export interface Input {
  op: DriverOp;
  encoding: Encoding;
  bytes: string;
  port: string;
  topic: string;
  /** RFC 3339; '' = now. */
  time: string;
  /** JSON: what is encoded, normalised, or happened. */
  data: string;
}

export const firstInput: Input = {
  op: 'decodeUplink',
  encoding: 'hex',
  bytes: '',
  port: '',
  topic: '',
  time: '',
  data: '',
};

/** Whether an operation is given bytes; the others are given data. */
export const takesBytes = (op: DriverOp) => op === 'decodeUplink' || op === 'decodeDownlink';

export interface Called {
  call?: DriverCall;
  /** What is wrong, by field. */
  faults: Partial<Record<keyof Input, string>>;
}

/** The call that an input is, or what is wrong with it. */
export function callOf(i: Input): Called {
  const faults: Called['faults'] = {};
  const call: DriverCall = { op: i.op };
  if (takesBytes(i.op)) {
    const read = readBytes(i.bytes, i.encoding);
    if (read.fault !== undefined) faults.bytes = read.fault;
    else call.bytes = toBase64(read.bytes);
  } else {
    try {
      call.data = JSON.parse(i.data);
    } catch (e) {
      faults.data = i.data.trim()
        ? `This is not JSON: ${(e as Error).message}`
        : 'Give the data as JSON, like {"interval": 60}.';
    }
  }
  const port = i.port.trim();
  if (port && !(/^\d+$/.test(port) && Number(port) >= 1 && Number(port) <= 255)) {
    faults.port = 'A port is a number from 1 to 255; empty = none.';
  } else if (port) call.port = Number(port);
  if (i.topic.trim()) call.topic = i.topic.trim();
  const time = i.time.trim();
  if (time && Number.isNaN(Date.parse(time))) faults.time = 'A time is like 2026-03-01T12:00:00Z; empty = now.';
  else if (time) call.time = new Date(time).toISOString();
  return Object.keys(faults).length ? { faults } : { call, faults };
}

/** Bytes in a way; those that are no text as hexadecimal digits, where that is wanted. */
function written(base64: string | null | undefined, encoding: Encoding): Pick<Input, 'encoding' | 'bytes'> {
  const bytes = fromBase64(base64 ?? '');
  const text = write(bytes, encoding);
  return text === undefined ? { encoding: 'hex', bytes: toHex(bytes) } : { encoding, bytes: text };
}

/** A call as a person would write it. */
export function inputOf(c: DriverCall, encoding: Encoding = 'hex'): Input {
  return {
    op: c.op,
    ...written(c.bytes, encoding),
    port: c.port ? String(c.port) : '',
    topic: c.topic ?? '',
    time: c.time && !c.time.startsWith('0001') ? c.time : '',
    data: c.data === undefined ? '' : JSON.stringify(c.data, null, 2),
  };
}

/** A parked message as input; one that is JSON to be read as such. */
export const fromParked = (m: ParkedMessage): Input => ({
  ...firstInput,
  ...written(m.raw, isJson(fromBase64(m.raw ?? '')) ? 'text' : 'hex'),
  port: m.port ? String(m.port) : '',
  topic: m.topic ?? '',
  time: m.received,
});

/** What a test expects so that a result passes it. Log and warnings are no promise; a result with errors has these alone. */
export function wantOf(r: DriverResult): DriverWant {
  if (r.errors?.length) return { errors: r.errors };
  const want: DriverWant = {};
  if (r.data !== undefined) want.data = r.data;
  if (r.bytes !== undefined) want.bytes = r.bytes;
  if (r.port) want.port = r.port;
  if (r.topic) want.topic = r.topic;
  if (r.records?.length) want.records = r.records;
  if (r.commands?.length) want.commands = r.commands;
  return want;
}

/** A test of a call and what came of it. The time belongs to it only where the driver is to say one. */
export function testOf(name: string, call: DriverCall, result: DriverResult): DriverTest {
  return { name, ...call, want: wantOf(result) };
}
