import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { cleanup, render, screen } from '@testing-library/react';
import { afterEach, expect, it } from 'vitest';
import { credentialsOf, relayedBy } from '@/api/reads';
import type { Twin } from '@/api/types';
import { Silent } from './Silent';

afterEach(cleanup);

/** What stands in place of a twin's values, whose device has these credentials and speaks for those. */
function shown(credentials: object[], relayed: object[]) {
  const queries = new QueryClient({ defaultOptions: { queries: { staleTime: Number.POSITIVE_INFINITY } } });
  queries.setQueryData<unknown>(credentialsOf('hub-1').queryKey, { items: credentials });
  queries.setQueryData<unknown>(relayedBy('hub-1').queryKey, { items: relayed });
  render(
    <QueryClientProvider client={queries}>
      <Silent twin={{ id: 'hub-1', kind: 'instance' } as Twin} />
    </QueryClientProvider>,
  );
}

const one = { id: 'c', twin: 'lamp-1', kind: 'relayed', state: 'active', name: 'kitchen', viaTwin: 'hub-9' };

it('says for how many a bridge speaks, which may never report itself', () => {
  shown([], [one, { ...one, twin: 'lamp-2' }]);
  screen.getByText('Speaks for 2 devices');
  expect(screen.getByRole('link', { name: 'Which those are' }).getAttribute('href')).toContain(
    '/twins/hub-1?tab=access',
  );
  expect(screen.queryByText('Nothing reported yet')).toBeNull();
});

it('says who speaks for a device', () => {
  shown([{ ...one, state: 'ended', viaTwin: 'hub-8' }, one], []);
  screen.getByText('Nothing reported yet');
  expect(screen.getByText(/Spoken for by/).textContent).toMatch(/hub-9, which calls it kitchen/);
});

it('waits for a device that speaks for itself', () => {
  shown([], []);
  screen.getByText(/as soon as the device sends its first reading/);
});
