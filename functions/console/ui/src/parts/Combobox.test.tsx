import { cleanup, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { useState } from 'react';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import { Combobox } from './Combobox';

beforeAll(() => {
  // jsdom lays nothing out
  Element.prototype.scrollIntoView ??= () => {};
  globalThis.ResizeObserver ??= class {
    observe() {}
    unobserve() {}
    disconnect() {}
  };
});
afterEach(cleanup);

const all = ['cpu.percent', 'disk.percent', 'memory.percent'];

interface Given {
  free?: boolean;
  busy?: boolean;
  unchosen?: string;
}

function Properties({ onChoose, ...given }: Given & { onChoose: (id: string) => void }) {
  const [typed, setTyped] = useState('');
  const choices = all.filter((id) => id.includes(typed)).map((id) => ({ id, label: id }));
  return (
    <>
      <Combobox label="Property" value="" choices={choices} onType={setTyped} onChoose={onChoose} {...given} />
      <button type="button" disabled={!!given.unchosen && !!typed.trim()}>
        Begin
      </button>
    </>
  );
}

function setUp(props: Given = {}) {
  const chosen = vi.fn();
  render(<Properties {...props} onChoose={chosen} />);
  return { chosen, field: screen.getByRole('combobox', { name: 'Property' }), user: userEvent.setup() };
}

test('typing finds, arrows lead, Enter chooses', async () => {
  const { chosen, field, user } = setUp();
  await user.click(field);
  expect(screen.getAllByRole('option')).toHaveLength(3);
  await user.type(field, 'percent{ArrowDown}');
  const active = document.getElementById(field.getAttribute('aria-activedescendant') ?? '');
  expect(active?.textContent).toBe('disk.percent');
  await user.keyboard('{Enter}');
  expect(chosen).toHaveBeenCalledExactlyOnceWith('disk.percent');
  expect(screen.queryByRole('option')).toBeNull();
});

test('Escape and leaving choose nothing', async () => {
  const { chosen, field, user } = setUp();
  await user.type(field, 'disk{Escape}');
  expect(field.getAttribute('aria-expanded')).toBe('false');
  await user.type(field, 'mem');
  await user.tab();
  expect(chosen).not.toHaveBeenCalled();
});

test('a list that is of what was typed before chooses nothing', async () => {
  const { chosen, field, user } = setUp({ busy: true });
  await user.type(field, 'disk{Enter}');
  expect(chosen).not.toHaveBeenCalled();
});

test('where anything goes, what was typed is taken', async () => {
  const { chosen, field, user } = setUp({ free: true });
  await user.type(field, 'rpm{Enter}');
  expect(chosen).toHaveBeenLastCalledWith('rpm');
  await user.type(field, 'torque');
  await user.tab();
  expect(chosen).toHaveBeenLastCalledWith('torque');
});

test('where nothing may be lost, what was typed and not chosen stays, and is told', async () => {
  const { chosen, field, user } = setUp({ unchosen: 'Choose from the list.' });
  const begin = screen.getByRole('button', { name: 'Begin' });
  await user.type(field, 'dsk');
  await user.tab();
  expect(chosen).not.toHaveBeenCalled();
  expect((field as HTMLInputElement).value).toBe('dsk');
  expect(field.getAttribute('aria-invalid')).toBe('true');
  expect(screen.getByText('Choose from the list.')).toBeTruthy();
  expect(begin).toHaveProperty('disabled', true);

  await user.clear(field);
  await user.tab();
  expect(screen.queryByText('Choose from the list.')).toBeNull();
  expect(begin).toHaveProperty('disabled', false);

  await user.type(field, 'disk.percent');
  await user.tab();
  expect(chosen).toHaveBeenCalledExactlyOnceWith('disk.percent');
  expect(begin).toHaveProperty('disabled', false);
});
