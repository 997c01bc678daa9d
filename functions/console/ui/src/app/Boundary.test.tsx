import { render, screen } from '@testing-library/react';
import { expect, it, onTestFinished } from 'vitest';
import { Boundary } from './Boundary';

function Broken(): never {
  throw new Error('no such property');
}

it('shows what has failed where it failed, and the next view as it is', () => {
  const quiet = (e: Event) => e.preventDefault();
  addEventListener('error', quiet);
  onTestFinished(() => removeEventListener('error', quiet));
  const { rerender } = render(
    <Boundary at="/rules">
      <Broken />
    </Boundary>,
  );
  screen.getByText('This view has failed');
  rerender(
    <Boundary at="/alarms">
      <h1>Alarms</h1>
    </Boundary>,
  );
  expect(screen.getByRole('heading', { level: 1 }).textContent).toBe('Alarms');
});
