// What the pages read, by key. The first word of a key is what live events refresh; see live/refresh.ts.
import { QueryCache, QueryClient } from '@tanstack/react-query';
import { ApiError } from './problem';
import { reach } from './reach';

export const keys = {
  twins: (query: object) => ['twins', query] as const,
  counts: (query: object = {}) => ['counts', query] as const,
  twin: (id: string) => ['twin', id] as const,
  runs: (query: object) => ['runs', query] as const,
  run: (id: string) => ['run', id] as const,
  model: (id: string) => ['model', id] as const,
  board: () => ['board'] as const,
  waiting: (query: object) => ['waiting', query] as const,
  alarms: (query: object) => ['alarms', query] as const,
  rules: (query: object) => ['rules', query] as const,
  history: (twin: string, query: object) => ['history', twin, query] as const,
  claims: (query: object) => ['claims', query] as const,
  models: (query: object = {}) => ['models', query] as const,
  modelVersion: (id: string, version: number) => ['models', id, version] as const,
  gateways: (query: object = {}) => ['gateways', query] as const,
  places: (query: object) => ['places', query] as const,
  credentials: (twin: string) => ['credentials', twin] as const,
  relayed: (via: string) => ['credentials', 'relayed', via] as const,
  drivers: () => ['drivers'] as const,
  driver: (name: string) => ['drivers', name] as const,
  driverSource: (name: string, version: string) => ['driver-source', name, version] as const,
  parked: (of: object) => ['parked', of] as const,
  redrive: (id: string) => ['redrive', id] as const,
};

export function makeQueries(): QueryClient {
  return new QueryClient({
    queryCache: new QueryCache({ onSuccess: () => reach.tell(true), onError: (e) => reach.failed(e) }),
    defaultOptions: {
      queries: {
        staleTime: 10_000,
        gcTime: 5 * 60_000,
        // What was refused stays refused; what could not be reached may be back.
        retry: (n, e) => n < 3 && (!(e instanceof ApiError) || e.status === 0 || e.status >= 500),
        retryDelay: (n) => 400 * 2 ** n,
      },
    },
  });
}
