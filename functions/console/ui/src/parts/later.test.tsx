import { render, screen, waitFor } from '@testing-library/react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

const reload = vi.fn();
const platform = { away: true };

beforeEach(() => {
  vi.resetModules();
  reload.mockClear();
  history.replaceState(null, '', '/function/console/rules');
  vi.stubGlobal('location', { pathname: '/function/console/rules', reload });
  vi.stubGlobal('fetch', async () => {
    if (platform.away) throw new TypeError('fetch failed');
    return new Response('<!doctype html>');
  });
});
afterEach(() => {
  document.body.replaceChildren();
  vi.unstubAllGlobals();
});

const gone = () => Promise.reject(new Error('Unable to preload CSS for /function/console/assets/Rules.css'));
const here = async () => ({ default: () => <h1>Here</h1> });

it('waits for the platform, then loads the page anew; another part stays as it is', async () => {
  platform.away = true;
  const { later, expectAll } = await import('./later');
  const [good, bad] = [later(here), later(gone)];
  await expectAll();
  render(
    <>
      <good.Part />
      <bad.Part />
    </>,
  );
  screen.getByRole('heading', { name: 'Here' });
  await screen.findByText(/does not answer; this page tries again by itself/);
  expect(reload).not.toHaveBeenCalled();
  platform.away = false;
  await waitFor(() => expect(reload).toHaveBeenCalledTimes(1), { timeout: 5000 });
});

it('does not ask the browser again for what failed ahead of being shown: it would come without its style', async () => {
  platform.away = false;
  const { later } = await import('./later');
  const load = vi.fn(gone);
  const part = later(load);
  await part.expect();
  render(<part.Part />);
  await waitFor(() => expect(reload).toHaveBeenCalledTimes(1));
  expect(load).toHaveBeenCalledTimes(1);
});

it('loads the page anew once, then leaves it to the person', async () => {
  platform.away = false;
  history.replaceState({ castorLoadedAnew: Date.now() - 1000 }, '');
  const { later } = await import('./later');
  const part = later(gone);
  render(<part.Part />);
  await screen.findByRole('button', { name: 'Try again' });
  expect(reload).not.toHaveBeenCalled();
});
