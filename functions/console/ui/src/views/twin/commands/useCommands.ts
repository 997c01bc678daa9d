import { useQuery } from '@tanstack/react-query';
import { api, ok } from '@/api/client';
import type { Command } from '@/api/types';

const ends = new Set<Command['state']>(['succeeded', 'failed', 'timedOut', 'unknown', 'cancelled']);

/** Whether nothing more is expected of a command. */
export const over = (c: Command) => ends.has(c.state);

/** The commands of a twin, newest first; looked at often while one is open. */
export function useCommands(twin: string) {
  const query = { twin, limit: 100 };
  return useQuery({
    queryKey: ['commands', twin],
    queryFn: ({ signal }) => ok(api.GET('/function/twin-command/commands', { params: { query }, signal })),
    refetchInterval: (q) => (q.state.data?.items.some((c) => !over(c)) ? 1500 : 15_000),
  });
}

/** One command until it is over. */
export function useCommand(id: string) {
  return useQuery({
    queryKey: ['command', id],
    queryFn: ({ signal }) => ok(api.GET('/function/twin-command/commands/{id}', { params: { path: { id } }, signal })),
    enabled: id !== '',
    refetchInterval: (q) => (q.state.data && over(q.state.data) ? false : 400),
  });
}
