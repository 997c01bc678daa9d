import { QueryClientProvider } from '@tanstack/react-query';
import { act, renderHook } from '@testing-library/react';
import type { ReactNode } from 'react';
import { expect, it, vi } from 'vitest';
import { json, origin, until } from '@/test/server';

const twins = Array.from({ length: 1500 }, (_, i) => ({ id: `t${String(i).padStart(4, '0')}`, kind: 'instance' }));
const query = { kind: 'instance' } as const;

/** A platform that lists 1,500 twins, also backwards if it may. */
function platform(backwards: boolean) {
  // Node's requests do not take the signals that jsdom makes.
  const Signalled = Request;
  vi.stubGlobal(
    'Request',
    class extends Signalled {
      constructor(to: URL, { signal: _, ...init }: RequestInit = {}) {
        super(to, init);
      }
    },
  );
  return origin((req, res) => {
    const q = new URL(req.url!, 'http://x').searchParams;
    const down = q.get('sort') === '-id';
    if (down && !backwards) return json(res, 400, { title: 'Not valid', status: 400, detail: 'too many to be sorted' });
    const [from, limit] = [Number(q.get('cursor')), Number(q.get('limit'))];
    const items = (down ? twins.toReversed() : twins).slice(from, from + limit);
    json(res, 200, { items, ...(from + limit < twins.length && { next: String(from + limit) }) });
  });
}

/** The rows, by modules that are new: the client keeps the origin it was loaded in. */
async function list(counted: number, more = false) {
  vi.resetModules();
  const { makeQueries } = await import('@/api/queries');
  const { useRows } = await import('./useRows');
  const queries = makeQueries();
  const wrapper = ({ children }: { children: ReactNode }) => (
    <QueryClientProvider client={queries}>{children}</QueryClientProvider>
  );
  return renderHook(() => useRows(query, counted, more), { wrapper }).result;
}

it('reads the last rows from the end', async () => {
  const { log } = await platform(true);
  const rows = await list(1500);
  await until('the first row', () => rows.current.at(0)?.id === 't0000');
  act(() => rows.current.see(1480, 1500));
  await until('the last row', () => rows.current.at(1499)?.id === 't1499');
  expect(rows.current.at(1480)?.id).toBe('t1480');
  expect(rows.current.total).toBe(1500);
  expect(log.filter((l) => !l.includes('sort=-id'))).toHaveLength(1);
});

it('walks there where the platform refuses the order, or has not counted all', async () => {
  const { log } = await platform(false);
  const rows = await list(1500);
  await until('the first row', () => rows.current.at(0)?.id === 't0000');
  act(() => rows.current.see(1480, 1500));
  await until('the last row', () => rows.current.at(1499)?.id === 't1499');
  expect(rows.current.error).toBeUndefined();
  expect(log.filter((l) => l.includes('sort=-id'))).toHaveLength(1);

  const lower = await list(1400, true);
  await until('the first row again', () => lower.current.at(0)?.id === 't0000');
  act(() => lower.current.see(1480, 1500));
  await until('the last row again', () => lower.current.at(1499)?.id === 't1499');
  expect(lower.current.total).toBe(1500);
  expect(log.filter((l) => l.includes('sort=-id'))).toHaveLength(1);
});
