// What is put into the bench, as a person writes it, and the call that it is.
import type {
  DriverCall,
  DriverKind,
  DriverOp,
  DriverResult,
  DriverTest,
  DriverWant,
  ParkedMessage,
} from '@/api/types';
import { type Encoding, fromBase64, isJson, readBytes, readHex, toBase64, toHex, write } from './bytes';

export interface Input {
  op: DriverOp;
  encoding: Encoding;
  bytes: string;
  port: string;
  topic: string;
  /** RFC 3339; '' = now. */
  time: string;
  /** JSON: what is encoded, normalised, or happened; of a command its input, '' = none. */
  data: string;
  /** The name of the command that is encoded; '' = the data as they are. */
  command: string;
  /** What kind of message an event is. */
  event: EventKind;
  /** Hexadecimal: what the last event has left; '' = none yet. */
  state: string;
  /** JSON: the device's own settings; '' = none. */
  variables: string;
}

export type EventKind = Exclude<NonNullable<DriverCall['kind']>, ''>;

export const firstInput: Input = {
  op: 'decodeUplink',
  encoding: 'hex',
  bytes: '',
  port: '',
  topic: '',
  time: '',
  data: '',
  command: '',
  event: 'telemetry',
  state: '',
  variables: '',
};

/** Whether an operation is given bytes; the others are given data. */
export const takesBytes = (op: DriverOp) => op === 'decodeUplink' || op === 'decodeDownlink';

/** Data that an input may be given, as an example of the form. */
export function likelyData(i: Pick<Input, 'op' | 'event'>): string {
  if (i.op === 'onEvent') return events[i.event];
  return i.op === 'encodeDownlink' ? '{"interval": 60}' : '{"temp": 21.5}';
}

const events: Record<EventKind, string> = {
  telemetry: '{"temperature": -0.5}',
  state: '{"mode": "eco"}',
  event: '{"event": "door", "data.open": true}',
  presence: '{"connected": true}',
  response: '{"name": "heat", "command": "cmd-1", "status": "failed"}',
};

/** Why drivers of a kind cannot do an operation; undefined = they may. */
export const cannot = (op: DriverOp, kind: DriverKind): string | undefined =>
  op === 'onEvent' && kind !== 'wasm' ? 'Only WebAssembly drivers react.' : undefined;

export interface Called {
  call?: DriverCall;
  /** What is wrong, by field. */
  faults: Partial<Record<keyof Input, string>>;
}

const isObject = (v: unknown): v is Record<string, unknown> => typeof v === 'object' && v !== null && !Array.isArray(v);

/** A command as it comes to a driver of a kind: LoRaWAN's codecs know no commands, so that a script is told the name beside its data. */
function commandTo(kind: DriverKind, name: string, input: unknown): Pick<DriverCall, 'command' | 'data'> {
  const none = input === undefined || input === null;
  if (kind !== 'javascript') return { data: { command: name, ...(!none && { input }) } };
  return { command: name, data: isObject(input) ? input : none ? {} : { value: input } };
}

/** The call that an input is to a driver of a kind, or what is wrong with it. */
export function callOf(i: Input, kind: DriverKind): Called {
  const faults: Called['faults'] = {};
  const call: DriverCall = { op: i.op };
  const never = cannot(i.op, kind);
  if (never) return { faults: { op: never } };
  const json = (field: 'data' | 'variables', empty?: string): unknown => {
    if (!i[field].trim() && empty === undefined) return;
    try {
      return JSON.parse(i[field]);
    } catch (e) {
      faults[field] = i[field].trim() ? `This is not JSON: ${(e as Error).message}` : empty;
    }
  };
  const command = i.op === 'encodeDownlink' ? i.command.trim() : '';
  if (takesBytes(i.op)) {
    const read = readBytes(i.bytes, i.encoding);
    if (read.fault !== undefined) faults.bytes = read.fault;
    else call.bytes = toBase64(read.bytes);
  } else if (command) {
    if (!/^[a-z][\w.-]{0,63}$/i.test(command)) {
      faults.command = 'A command is 1 to 64 letters, digits, “.”, “_” or “-”, a letter first.';
    }
    Object.assign(call, commandTo(kind, command, json('data')));
  } else call.data = json('data', `Give the data as JSON, like ${likelyData(i)}.`);
  if (i.op === 'onEvent') {
    call.kind = i.event;
    const read = readHex(i.state);
    if (i.state.trim() && read.fault !== undefined) faults.state = read.fault;
    else if (read.bytes?.length) call.state = toBase64(read.bytes);
  }
  const variables = json('variables');
  if (isObject(variables) && Object.values(variables).every((v) => typeof v === 'string')) {
    call.variables = variables as Record<string, string>;
  } else if (variables !== undefined) faults.variables = 'Variables are texts by name, like {"offset": "0.5"}.';
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

/** The command that a call writes, if it is one, and its data or input. */
export function commandOf({ op, command, data }: DriverCall, kind: DriverKind): Pick<DriverCall, 'command' | 'data'> {
  if (op !== 'encodeDownlink' || kind === 'javascript' || !isObject(data)) return { command, data };
  const { command: name, input, ...others } = data;
  return typeof name === 'string' && Object.keys(others).length === 0 ? { command: name, data: input } : { data };
}

/** A call as a person would write it for a driver of a kind. */
export function inputOf(c: DriverCall, kind: DriverKind, encoding: Encoding = 'hex'): Input {
  const { command, data } = commandOf(c, kind);
  return {
    op: c.op,
    ...written(c.bytes, encoding),
    port: c.port ? String(c.port) : '',
    topic: c.topic ?? '',
    time: c.time && !c.time.startsWith('0001') ? c.time : '',
    data: data === undefined ? '' : JSON.stringify(data, null, 2),
    command: command ?? '',
    event: c.kind || 'telemetry',
    state: toHex(fromBase64(c.state ?? '')),
    variables: c.variables ? JSON.stringify(c.variables) : '',
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
export function wantOf(r: DriverResult, op: DriverOp): DriverWant {
  if (r.errors?.length) return { errors: r.errors };
  const want: DriverWant = {};
  if (r.data !== undefined) want.data = r.data;
  if (r.bytes !== undefined) want.bytes = r.bytes;
  if (r.port) want.port = r.port;
  if (r.topic) want.topic = r.topic;
  if (r.records?.length) want.records = r.records;
  if (op === 'onEvent') {
    if (r.state !== undefined) want.state = r.state;
    want.commands = r.commands ?? []; // that none is sent is a promise, too
  }
  return want;
}

/** A test of a call and what came of it. The time belongs to it only where the driver is to say one. */
export function testOf(name: string, call: DriverCall, result: DriverResult): DriverTest {
  return { name, ...call, want: wantOf(result, call.op) };
}
