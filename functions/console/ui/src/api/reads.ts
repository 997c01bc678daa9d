// What several views read, each with its key: it is read once, and all that show it change together.
import { queryOptions } from '@tanstack/react-query';
import { api, ok } from './client';
import { keys } from './queries';
import type { operations } from './schema';
import type { ProvisioningModel } from './types';

type Query<K extends keyof operations> = NonNullable<operations[K]['parameters']['query']>;

/** One twin of any kind; none for ''. */
export const oneTwin = (id: string) =>
  queryOptions({
    queryKey: keys.twin(id),
    queryFn: ({ signal }) => ok(api.GET('/function/twins/twins/{id}', { params: { path: { id } }, signal })),
    enabled: id !== '',
  });

/** The first page of the twins that a query finds. */
export const twins = (query: Query<'listTwins'>) =>
  queryOptions({
    queryKey: keys.twins(query),
    queryFn: ({ signal }) => ok(api.GET('/function/twins/twins', { params: { query }, signal })),
  });

/** How many twins there are, of each kind, phase and type. */
export const counts = (query: Query<'countTwins'>) =>
  queryOptions({
    queryKey: keys.counts(query),
    queryFn: ({ signal }) => ok(api.GET('/function/twins/counts', { params: { query }, signal })),
  });

/** What a twin's device proves itself by, the newest first, and what it had before. */
export const credentialsOf = (twin: string) =>
  queryOptions({
    queryKey: keys.credentials(twin),
    queryFn: ({ signal }) => ok(api.GET('/function/credentials/credentials', { params: { query: { twin } }, signal })),
  });

/** The devices that a twin's device speaks for: as many as one page has. */
export const relayedBy = (via: string) =>
  queryOptions({
    queryKey: keys.relayed(via),
    queryFn: ({ signal }) =>
      ok(api.GET('/function/credentials/relayed', { params: { query: { via, limit: 1000 } }, signal })),
  });

/** One provisioning run with its model and its log. */
export const oneRun = (id: string) =>
  queryOptions({
    queryKey: keys.run(id),
    queryFn: ({ signal }) => ok(api.GET('/function/twin-provision/runs/{id}', { params: { path: { id } }, signal })),
  });

/** A provisioning model as it is now. Its text in YAML is another answer of the same call, so the contract leaves open which this is. */
export const oneModel = (id: string) =>
  queryOptions({
    queryKey: keys.model(id),
    queryFn: async ({ signal }) =>
      (await ok(
        api.GET('/function/twin-provision/models/{id}', { params: { path: { id } }, signal }),
      )) as ProvisioningModel,
  });

/** The first page of provisioning runs, newest first, without their logs. */
export const runs = (query: Query<'listRuns'>) =>
  queryOptions({
    queryKey: keys.runs(query),
    queryFn: ({ signal }) => ok(api.GET('/function/twin-provision/runs', { params: { query }, signal })),
  });

/** How many open runs there are in each state. */
export const board = () =>
  queryOptions({
    queryKey: keys.board(),
    queryFn: ({ signal }) => ok(api.GET('/function/twin-provision/runs/board', { signal })),
  });

/** The first page of alarms, newest first. */
export const alarms = (query: Query<'listAlarms'>) =>
  queryOptions({
    queryKey: keys.alarms(query),
    queryFn: ({ signal }) => ok(api.GET('/function/alerts/alarms', { params: { query }, signal })),
  });

/** The rules that watch a twin: its own, its type's and its aggregates'. */
export const rulesThatWatch = (twin: string) =>
  queryOptions({
    queryKey: keys.rules({ watching: twin }),
    queryFn: ({ signal }) =>
      ok(api.GET('/function/twin-monitor/twins/{id}/rules', { params: { path: { id: twin } }, signal })),
  });
