// What function drivers is asked, and what it answers (shared/api/drivers.go), and the parked messages of function twin-ingest.
import { cbor } from './cbor';
import { api, ok } from './client';

export type DriverKind = 'declarative' | 'javascript' | 'wasm';
export type DriverState = 'draft' | 'canary' | 'active' | 'quarantined' | 'withdrawn';
export type DriverOp = 'decodeUplink' | 'encodeDownlink' | 'decodeDownlink' | 'normalizeUplink' | 'onEvent';

export interface DriverVersion {
  name: string;
  version: string;
  kind: DriverKind;
  state: DriverState;
  title?: string;
  maker?: string;
  license?: string;
  note?: string;
  firmware?: string;
  size: number;
  digest: string;
  signed?: boolean;
  limit?: string;
  tests: number;
  topics?: string[];
  downlinks?: string[];
  canary?: Canary;
  failures?: number;
  reason?: string;
  blocked?: string[];
  by: string;
  published: string;
  changed: string;
}

export interface Canary {
  percent?: number;
  twins?: string[];
}

export interface Driver {
  name: string;
  title?: string;
  owner?: string;
  key?: string;
  versions: DriverVersion[];
  created: string;
  updated: string;
}

/** Bytes are base64, as everywhere in JSON. */
export interface DriverCall {
  op: DriverOp;
  bytes?: string;
  port?: number;
  topic?: string;
  time?: string;
  data?: unknown;
  state?: string;
  variables?: Record<string, string>;
}

export interface DriverWant {
  data?: unknown;
  bytes?: string;
  port?: number;
  topic?: string;
  time?: string;
  records?: unknown[];
  state?: string;
  commands?: unknown[];
  warnings?: string[];
  errors?: string[];
}

export interface DriverTest extends DriverCall {
  name?: string;
  want: DriverWant;
}

/** A driver with its code (base64) and tests, as it is published. `limit` is in nanoseconds. */
export interface DriverSource {
  name: string;
  version: string;
  kind: DriverKind;
  title?: string;
  maker?: string;
  license?: string;
  note?: string;
  firmware?: string;
  code: string;
  limit?: number;
  tests?: DriverTest[];
}

export interface DriverResult extends DriverWant {
  log?: string[];
  failure?: string;
  reason?: string;
}

export interface Difference {
  path: string;
  want: string;
  got: string;
}

export interface TestRun {
  name: string;
  differences: Difference[] | null;
}

export interface DriverRun {
  results: DriverResult[] | null;
  tests?: TestRun[];
  took?: number[];
}

export interface RunDriver {
  driver?: DriverSource;
  name?: string;
  version?: string;
  calls?: DriverCall[];
  tests?: boolean;
}

export interface ParkedMessage {
  id: string;
  twin: string;
  kind: string;
  topic?: string;
  raw: string | null;
  reason: string;
  gateway?: string;
  received: string;
  trace?: string;
  port?: number;
  was?: string;
  driver?: string;
}

/** Whose parked messages: one twin's, or a driver's. */
export type Parked = { twin: string } | { driver: string };

export type Redriving = Parked | { type: string };

export interface Redrive {
  id: string;
  state: 'queued' | 'running' | 'done' | 'failed' | 'cancelled';
  by: string;
  stored: number;
  left: number;
  reason?: string;
  created: string;
  ended?: string;
}

interface Asked {
  query?: Record<string, string | number>;
  body?: unknown;
  signal?: AbortSignal;
  /** The body may be larger than JSON may be. */
  binary?: boolean;
}

const asCbor = { headers: { 'Content-Type': 'application/cbor' }, bodySerializer: cbor };

/** A call that the contract does not describe yet. */
export function ask<T>(method: string, path: string, { query, body, signal, binary }: Asked = {}): Promise<T> {
  const request = api.request as unknown as (m: string, path: string, init: object) => Promise<{ response: Response }>;
  const init = { params: { query }, signal, ...(body !== undefined && { body }), ...(binary && asCbor) };
  return ok(request(method, `/function/${path}`, init)) as Promise<T>;
}

const bytes = (base64: string | undefined) =>
  base64 === undefined ? undefined : Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

/** Bytes as CBOR has them, where JSON has base64. */
const callBytes = <T extends DriverCall>(c: T) => ({ ...c, bytes: bytes(c.bytes), state: bytes(c.state) });
const bytesOf = <T extends DriverSource>(d: T) => ({
  ...d,
  code: bytes(d.code),
  tests: d.tests?.map((t) => ({
    ...callBytes(t),
    want: { ...t.want, bytes: bytes(t.want.bytes), state: bytes(t.want.state) },
  })),
});

const e = encodeURIComponent;
const at = (name: string, version: string) => `drivers/drivers/${e(name)}/versions/${e(version)}`;

interface Page<T> {
  items: T[];
  next?: string;
}

export const drivers = {
  list: (cursor: string, signal?: AbortSignal) =>
    ask<Page<Driver>>('get', 'drivers/drivers', { query: cursor ? { cursor } : {}, signal }),
  get: (name: string, signal?: AbortSignal) => ask<Driver>('get', `drivers/drivers/${e(name)}`, { signal }),
  source: (name: string, version: string, signal?: AbortSignal) =>
    ask<DriverSource>('get', at(name, version), { signal }),
  publish: (body: DriverSource & { owner?: string }) =>
    ask<DriverVersion>('post', `drivers/drivers/${e(body.name)}/versions`, { body: bytesOf(body), binary: true }),
  canary: (name: string, version: string, body: Canary) =>
    ask<DriverVersion>('post', `${at(name, version)}/canary`, { body }),
  promote: (name: string, version: string) => ask<DriverVersion>('post', `${at(name, version)}/promote`),
  withdraw: (name: string, version: string, reason: string) =>
    ask<DriverVersion>('post', `drivers/drivers/${e(name)}/withdraw`, { query: { version }, body: { reason } }),
  remove: (name: string, version: string) => ask<void>('delete', at(name, version)),
  run: (body: RunDriver, signal?: AbortSignal) =>
    ask<DriverRun>('post', 'drivers/runs', {
      body: { ...body, driver: body.driver && bytesOf(body.driver), calls: body.calls?.map(callBytes) },
      signal,
      binary: true,
    }),
  redrive: (body: Redriving) => ask<Redrive>('post', 'drivers/redrives', { body }),
  redriven: (id: string, signal?: AbortSignal) => ask<Redrive>('get', `drivers/redrives/${e(id)}`, { signal }),
  cancelRedrive: (id: string) => ask<Redrive>('delete', `drivers/redrives/${e(id)}`),
  parked: (of: Parked, cursor: string, signal?: AbortSignal) =>
    ask<Page<ParkedMessage>>('get', 'twin-ingest/parked', {
      query: { ...of, limit: 50, ...(cursor && { cursor }) },
      signal,
    }),
};
