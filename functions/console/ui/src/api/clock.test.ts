// @vitest-environment node
import { afterEach, expect, it, vi } from 'vitest';
import { now, setClock } from './clock';

afterEach(() => {
  vi.useRealTimers();
  setClock(new Date().toUTCString(), Date.now());
});

it('follows the platform where the browser’s clock is a day off, and is set right again', () => {
  vi.useFakeTimers({ now: Date.UTC(2026, 0, 2, 12) });
  setClock('Thu, 01 Jan 2026 12:00:00 GMT', Date.now());
  expect(now()).toBe(Date.UTC(2026, 0, 1, 12) + 500);
  setClock('Fri, 02 Jan 2026 12:00:00 GMT', Date.now());
  expect(now()).toBe(Date.now());
});

it('keeps small differences, missing headers and slow answers out', () => {
  vi.useFakeTimers({ now: Date.UTC(2026, 0, 2, 12) });
  setClock('Fri, 02 Jan 2026 11:59:56 GMT', Date.now());
  setClock(null, Date.now());
  setClock('gestern', Date.now());
  setClock('Thu, 01 Jan 2026 12:00:00 GMT', Date.now() - 60_000);
  expect(now()).toBe(Date.now());
});
