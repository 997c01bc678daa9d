// What function drivers is asked (payload drivers), and the parked messages of function twin-ingest.
import { cbor } from './cbor';
import { api, ok } from './client';
import type { DriverCall, DriverCanary, DriverSource, NewRedrive, PublishDriver, Redrive, RunDriver } from './types';

/** Whose parked messages: one twin's, or a driver's. */
export type Parked = { twin: string } | { driver: string };

/** Code may be larger than JSON is taken, so it goes as CBOR, in which bytes are what they are. */
const asCbor = { headers: { 'Content-Type': 'application/cbor' }, bodySerializer: cbor };

const bytes = (base64: string | null | undefined) =>
  base64 === undefined || base64 === null ? undefined : Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

const bytesOfCall = <T extends DriverCall>(c: T) => ({ ...c, bytes: bytes(c.bytes), state: bytes(c.state) });
const bytesOf = <T extends DriverSource>(d: T) => ({
  ...d,
  code: bytes(d.code),
  tests: d.tests?.map((t) => ({
    ...bytesOfCall(t),
    want: { ...t.want, bytes: bytes(t.want.bytes), state: bytes(t.want.state) },
  })),
});

const of = (name: string, version: string) => ({ path: { name, version } });

export const drivers = {
  list: (cursor: string, signal?: AbortSignal) =>
    ok(api.GET('/function/drivers/drivers', { params: { query: cursor ? { cursor } : {} }, signal })),
  get: (name: string, signal?: AbortSignal) =>
    ok(api.GET('/function/drivers/drivers/{name}', { params: { path: { name } }, signal })),
  source: (name: string, version: string, signal?: AbortSignal) =>
    ok(api.GET('/function/drivers/drivers/{name}/versions/{version}', { params: of(name, version), signal })),
  publish: (body: PublishDriver) =>
    ok(
      api.POST('/function/drivers/drivers/{name}/versions', {
        params: { path: { name: body.name } },
        body: bytesOf(body) as never,
        ...asCbor,
      }),
    ),
  canary: (name: string, version: string, body: DriverCanary) =>
    ok(api.POST('/function/drivers/drivers/{name}/versions/{version}/canary', { params: of(name, version), body })),
  promote: (name: string, version: string) =>
    ok(api.POST('/function/drivers/drivers/{name}/versions/{version}/promote', { params: of(name, version) })),
  withdraw: (name: string, version: string, reason: string) =>
    ok(
      api.POST('/function/drivers/drivers/{name}/withdraw', {
        params: { path: { name }, query: { version } },
        body: { reason },
      }),
    ),
  remove: (name: string, version: string) =>
    ok(api.DELETE('/function/drivers/drivers/{name}/versions/{version}', { params: of(name, version) })),
  run: (body: RunDriver, signal?: AbortSignal) =>
    ok(
      api.POST('/function/drivers/runs', {
        body: {
          ...body,
          driver: body.driver && bytesOf(body.driver),
          calls: body.calls?.map(bytesOfCall),
        } as never,
        signal,
        ...asCbor,
      }),
    ),
  redrive: (body: NewRedrive): Promise<Redrive> => ok(api.POST('/function/drivers/redrives', { body })),
  redriven: (id: string, signal?: AbortSignal) =>
    ok(api.GET('/function/drivers/redrives/{id}', { params: { path: { id } }, signal })),
  cancelRedrive: (id: string) => ok(api.DELETE('/function/drivers/redrives/{id}', { params: { path: { id } } })),
  adopt: (twin: string, cursor: string) =>
    ok(
      api.POST('/function/twin-ingest/parked/{twin}/adopt', {
        params: { path: { twin }, query: cursor ? { cursor } : {} },
      }),
    ),
  parked: (whose: Parked, cursor: string, signal?: AbortSignal) =>
    ok(
      api.GET('/function/twin-ingest/parked', {
        params: { query: { ...whose, limit: 50, ...(cursor && { cursor }) } },
        signal,
      }),
    ),
};
