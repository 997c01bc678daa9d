// What the views of gateways read, and their words for it.
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Assignment, Gateway } from '@/api/types';
import type { Tone } from '@/parts/Badge';

export const gatewayHref = (id: string) => `/gateways/${encodeURIComponent(id)}`;

const pages = 5;
const often = 5_000; // ms: gateways tell of themselves by heartbeats, not by events

/** All gateways. */
export const allGateways = queryOptions({
  queryKey: keys.gateways(),
  queryFn: async ({ signal }) => {
    const out: Gateway[] = [];
    let cursor = '';
    for (let n = 0; n < pages; n++) {
      const query = { limit: 500, ...(cursor && { cursor }) };
      const page = await ok(api.GET('/function/gateways/gateways', { params: { query }, signal }));
      out.push(...page.items);
      cursor = page.next ?? '';
      if (!cursor) break;
    }
    return out;
  },
  refetchInterval: often,
});

export const oneGateway = (id: string) =>
  queryOptions({
    queryKey: keys.gateways({ id }),
    queryFn: ({ signal }) => ok(api.GET('/function/gateways/gateways/{id}', { params: { path: { id } }, signal })),
    refetchInterval: often,
  });

/** The places at a gateway, a page at a time. */
export const placesAt = (gateway: string) =>
  infiniteQueryOptions({
    queryKey: keys.places({ gateway }),
    queryFn: ({ signal, pageParam }) => {
      const query = { gateway, limit: 50, ...(pageParam && { cursor: pageParam }) };
      return ok(api.GET('/function/gateways/assignments', { params: { query }, signal }));
    },
    initialPageParam: '',
    getNextPageParam: (last) => last.next || undefined,
    refetchInterval: often,
  });

/** Where a twin's device has its place. */
export const placesOf = (twin: string) =>
  queryOptions({
    queryKey: keys.places({ twin }),
    queryFn: ({ signal }) => ok(api.GET('/function/gateways/assignments', { params: { query: { twin } }, signal })),
    refetchInterval: often,
  });

const counted = 1000;

/** How many devices have their place at a gateway. Those on their way to another still have to be let in, but are none of them. */
export const howMany = (g: Gateway) =>
  queryOptions({
    queryKey: keys.places({ gateway: g.id, count: true }),
    queryFn: async ({ signal }) => {
      const query = { gateway: g.id, limit: counted };
      const page = await ok(api.GET('/function/gateways/assignments', { params: { query }, signal }));
      return page.next ? Math.max(counted, g.devices) : page.items.length;
    },
    refetchInterval: often,
  });

/** How many of a gateway's devices find no place elsewhere, and why; undefined if all do. */
export function staying(
  g: Gateway,
  all: readonly Gateway[],
  devices: number,
): { count: number; why: string } | undefined {
  const others = all.filter((o) => o.id !== g.id && takes(o, g.protocol));
  const room = others.reduce((n, o) => n + Math.max(0, o.capacity - o.devices), 0);
  if (devices <= room) return undefined;
  const why =
    others.length === 0
      ? `no other gateway for ${protocolName(g.protocol)} takes devices`
      : `the others for ${protocolName(g.protocol)} have ${room === 0 ? 'no room' : `room for ${room} only`}`;
  return { count: devices - room, why };
}

/** Whether a gateway gives places to devices of a protocol. */
export const takes = (g: Gateway, protocol?: string) =>
  g.phase === 'operational' && !g.dead && !g.draining && (!protocol || g.protocol === protocol);

/** The names of protocols as people write them. */
export const protocolName = (p: string) => ({ mqtt: 'MQTT', grpc: 'gRPC', http: 'HTTP' })[p] ?? p;

/** How a gateway is. */
export function healthOf(g: Gateway): { word: string; tone: Tone } {
  if (g.dead) return { word: 'dead', tone: 'critical' };
  if (g.draining) return { word: 'draining', tone: 'warning' };
  return { word: 'alive', tone: 'ok' };
}

/** How a device's place is. */
export function placeState(a: Assignment): { word: string; tone: Tone } {
  if (a.suspended) return { word: 'suspended', tone: 'warning' };
  if (a.lost) return { word: 'cannot come in', tone: 'critical' };
  if (a.leaving) return { word: `moving from ${a.leaving}`, tone: 'accent' };
  if (!a.applied) return { word: 'pending', tone: 'info' };
  return { word: 'let in', tone: 'ok' };
}

/** Which part of its room a gateway uses, from 0 to 1; undefined where it has no bound. */
export const loadOf = (g: Gateway) => (g.capacity > 0 ? Math.min(1, g.devices / g.capacity) : undefined);

/** What goes stale when a device moves. */
export const stale = [['gateways'], ['places'], ['twin']] as const;
