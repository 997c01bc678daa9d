// What the rules' pages read and change.
import { type QueryClient, queryOptions } from '@tanstack/react-query';
import { api, ok, versioned } from '@/api/client';
import { keys } from '@/api/queries';
import type { NewRule, Rule, RuleChange } from '@/api/types';

const bound = 5000; // rules that are read; the platform allows 100 for each twin

/** All rules the reader may see, by id; at most 5,000. */
export const allRules = queryOptions({
  queryKey: keys.rules({}),
  queryFn: async ({ signal }) => {
    const items: Rule[] = [];
    for (let cursor: string | undefined; ; ) {
      const query = { limit: 1000, cursor };
      const page = await ok(api.GET('/function/twin-monitor/rules', { params: { query }, signal }));
      items.push(...page.items);
      cursor = page.next;
      if (!cursor || items.length >= bound) return { items, more: !!cursor };
    }
  },
});

/** One rule with the version that an edit names. */
export const oneRule = (id: string) =>
  queryOptions({
    queryKey: keys.rules({ id }),
    queryFn: ({ signal }) =>
      versioned(api.GET('/function/twin-monitor/rules/{id}', { params: { path: { id } }, signal })),
    enabled: id !== '',
    staleTime: Infinity, // what is being edited does not change below the hands
    gcTime: 0,
  });

export const createRule = (rule: NewRule) => ok(api.POST('/function/twin-monitor/rules', { body: rule }));

/** Changes what is named; with `etag` only the version that was read. */
export const changeRule = (id: string, change: RuleChange, etag?: string) =>
  ok(
    api.PATCH('/function/twin-monitor/rules/{id}', {
      params: { path: { id }, header: etag ? { 'If-Match': etag } : {} },
      body: change,
    }),
  );

export const deleteRule = (id: string) =>
  ok(api.DELETE('/function/twin-monitor/rules/{id}', { params: { path: { id } } }));

/** Puts a rule back that was deleted, under its own id. */
export const restoreRule = (r: Rule) =>
  createRule({
    id: r.id,
    target: r.target,
    name: r.name ?? '',
    condition: r.condition,
    severity: r.severity,
    disabled: r.disabled ?? false,
  });

/** Shows a change at once, before the platform has answered; returns what takes it back. */
export function showAtOnce(queries: QueryClient, change: (rules: Rule[]) => Rule[]): () => void {
  const before = queries.getQueryData(allRules.queryKey);
  void queries.cancelQueries({ queryKey: allRules.queryKey });
  queries.setQueryData(allRules.queryKey, (old) => old && { ...old, items: change(old.items) });
  return () => queries.setQueryData(allRules.queryKey, before);
}

/** A rule's condition or name was changed: what shows them is read again. */
export const rulesChanged = (queries: QueryClient) => queries.invalidateQueries({ queryKey: ['rules'] });
