import { cleanup, render, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, expect, test } from 'vitest';
import { ConfirmDialog } from './ConfirmDialog';
import { TooltipProvider } from './Tooltip';

afterEach(cleanup);

function show(work: () => Promise<unknown>) {
  const closed: true[] = [];
  render(
    <TooltipProvider>
      <ConfirmDialog title="Reset?" verb="Reset" danger work={work} onClose={() => closed.push(true)}>
        <input aria-label="Reason" required />
      </ConfirmDialog>
    </TooltipProvider>,
  );
  return closed;
}

test('what is refused says why, and the dialog stays with what was typed', async () => {
  const user = userEvent.setup();
  const closed = show(() => Promise.reject(new Error('It has members.')));
  await user.type(screen.getByLabelText('Reason'), 'worn out');
  await user.click(screen.getByRole('button', { name: 'Reset' }));
  await waitFor(() => expect(screen.getByRole('alert').textContent).toBe('It has members.'));
  expect((screen.getByLabelText('Reason') as HTMLInputElement).value).toBe('worn out');
  expect(closed).toEqual([]);
});

test('it is done once, however often it is clicked, and closes then', async () => {
  const user = userEvent.setup();
  let done = () => {};
  let calls = 0;
  const closed = show(() => {
    calls++;
    return new Promise<void>((end) => (done = end));
  });
  await user.type(screen.getByLabelText('Reason'), 'worn out{Enter}');
  await user.click(screen.getByRole('button', { name: 'Reset' }));
  expect(calls).toBe(1);
  expect(closed).toEqual([]);
  done();
  await waitFor(() => expect(closed).toEqual([true]));
});
