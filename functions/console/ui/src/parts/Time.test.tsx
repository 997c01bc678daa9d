import { cleanup, render, screen } from '@testing-library/react';
import { afterEach, expect, test } from 'vitest';
import { Time } from './Time';
import { TooltipProvider } from './Tooltip';

afterEach(cleanup);

test.each([undefined, '', '0001-01-01T00:00:00Z'])('%j is never', (at) => {
  render(<Time at={at} />);
  expect(screen.getByText('never')).toBeTruthy();
});

test('another time is one', () => {
  const at = '2026-03-01T12:00:00Z';
  render(
    <TooltipProvider>
      <Time at={at} />
    </TooltipProvider>,
  );
  expect(document.querySelector('time')?.dateTime).toBe(at);
});
