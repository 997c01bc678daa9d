import { cleanup, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, expect, test } from 'vitest';
import { useEntry } from './useEntry';

afterEach(cleanup);

function List() {
  useEntry(() => document.querySelector<HTMLElement>('[data-alarm] button'));
  return (
    <>
      <input aria-label="words" />
      <p data-alarm="a">
        <button type="button">first</button>
      </p>
    </>
  );
}

test('arrows lead into the list from anywhere, but not out of a field', async () => {
  render(<List />);
  await userEvent.click(screen.getByRole('textbox'));
  await userEvent.keyboard('{ArrowDown}');
  expect(document.activeElement).toBe(screen.getByRole('textbox'));
  screen.getByRole('textbox').blur();
  await userEvent.keyboard('{Control>}{ArrowDown}{/Control}');
  expect(document.activeElement).toBe(document.body);
  await userEvent.keyboard('{ArrowDown}');
  expect(document.activeElement).toBe(screen.getByRole('button'));
});
