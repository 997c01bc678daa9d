import { cleanup, render, screen } from '@testing-library/react';
import { afterEach, expect, test } from 'vitest';
import { Listed, type Reading } from './Listed';

afterEach(cleanup);

const read: Reading = { isPending: false, error: null, data: {}, refetch: () => {} };
const show = (query: Partial<Reading>, count: number) =>
  render(
    <Listed query={{ ...read, ...query }} count={count} empty={<p>nothing</p>} what="Not read">
      <p>rows</p>
    </Listed>,
  );

test('a list is waited for, read, empty or not to be had', () => {
  show({ isPending: true, data: undefined }, 0).unmount();
  show({}, 2);
  expect(screen.getByText('rows')).toBeTruthy();
  show({}, 0);
  expect(screen.getByText('nothing')).toBeTruthy();
  show({ error: new Error('gone'), data: undefined }, 0);
  expect(screen.getByRole('alert').textContent).toContain('gone');
});

test('what was read before stays where it cannot be read again', () => {
  show({ error: new Error('gone') }, 2);
  expect(screen.getByText('rows')).toBeTruthy();
  expect(screen.queryByRole('alert')).toBeNull();
});
