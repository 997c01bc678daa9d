import { fireEvent, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Session } from '@/api/types';

const here = '/function/console/rules?q=hot';
const who: Session = {
  user: { id: 'ada', roles: ['owner'], groups: ['press'], created: '2026-01-01T00:00:00Z' },
  expires: '2099-01-01T00:00:00Z',
};

/** What the platform answers: whether there is a session, and lists that are empty. */
const platform = { signedIn: false, away: false };

function answer(to: string | URL | Request, init?: RequestInit): Response {
  const url = typeof to === 'string' ? to : to instanceof Request ? to.url : to.href;
  const body = (status: number, b: unknown) => new Response(JSON.stringify(b), { status });
  if (platform.away) throw new TypeError('fetch failed');
  if (url === '/function/console/session' && init?.method === 'POST') platform.signedIn = true;
  if (!platform.signedIn) return body(401, { title: 'Unauthorized', status: 401 });
  if (url.startsWith('/function/console/session')) return body(200, who);
  if (url === '/stream') return new Response(new ReadableStream(), { status: 200 });
  return body(200, { items: [] });
}

/** The page's own parts read the browser as they are loaded. */
async function page() {
  vi.resetModules();
  vi.stubGlobal('matchMedia', () => ({ matches: false, addEventListener: () => {}, removeEventListener: () => {} }));
  vi.stubGlobal(
    'ResizeObserver',
    class {
      observe() {}
      unobserve() {}
      disconnect() {}
    },
  );
  Element.prototype.scrollIntoView = () => {};
  vi.stubGlobal('fetch', async (to: string, init?: RequestInit) => answer(to, init));
  const base = location.origin;
  const Absolute = Request;
  vi.stubGlobal(
    'Request',
    class extends Absolute {
      constructor(to: string, { signal: _, ...init }: RequestInit = {}) {
        super(new URL(to, base), init);
      }
    },
  );
  history.replaceState(null, '', here);
  const { App } = await import('./App');
  const { session } = await import('@/api/session');
  const { unmount } = render(<App />);
  return { session, unmount };
}

describe('App', { timeout: 20_000 }, () => {
  beforeEach(() => Object.assign(platform, { signedIn: false, away: false }));
  afterEach(() => {
    document.body.replaceChildren();
    vi.unstubAllGlobals();
  });

  const signIn = async () => {
    await userEvent.type(await screen.findByLabelText('Name'), 'ada');
    await userEvent.type(screen.getByLabelText('Password'), 'secret{Enter}');
    await screen.findByRole('navigation', { name: 'Main' });
  };

  it('asks who it is, then shows what was asked for; after the end of the session too', async () => {
    const { session, unmount } = await page();
    await screen.findByRole('heading', { name: 'Sign in to Castor' });
    expect(screen.queryByText(/session has ended/)).toBeNull();
    await signIn();
    expect(location.pathname + location.search).toBe(here);

    platform.signedIn = false;
    await session.renew();
    await screen.findByText(/session has ended/);
    await signIn();
    expect(location.pathname + location.search).toBe(here);
    unmount();
  });

  it('says that the platform is away, and comes by itself when it is back', async () => {
    Object.assign(platform, { signedIn: true, away: true });
    const { unmount } = await page();
    await screen.findByText('Castor cannot be reached');
    platform.away = false;
    await screen.findByRole('navigation', { name: 'Main' }, { timeout: 6000 });
    unmount();
  });

  it('has a view there already when somebody clicks the link they pointed at', async () => {
    platform.signedIn = true;
    const { unmount } = await page();
    const link = await screen.findByRole('link', { name: 'Enrol a device' });
    await userEvent.hover(link);
    await vi.dynamicImportSettled();
    fireEvent.click(link);
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe('Enrol a device');
    unmount();
  });

  it('goes to places by keys, but not while something is typed', async () => {
    platform.signedIn = true;
    const { unmount } = await page();
    await screen.findByRole('navigation', { name: 'Main' });
    await userEvent.keyboard('ga');
    expect(location.pathname).toBe('/function/console/alarms');
    await userEvent.keyboard('{Control>}k{/Control}');
    await userEvent.type(await screen.findByPlaceholderText(/Search twins, or/), 'ge');
    expect(location.pathname).toBe('/function/console/alarms');
    unmount();
  });
});
