import { cleanup, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { useState } from 'react';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';
import { Combobox } from './Combobox';

beforeAll(() => {
  Element.prototype.scrollIntoView ??= () => {}; // jsdom lays nothing out
});
afterEach(cleanup);

const all = ['cpu.percent', 'disk.percent', 'memory.percent'];

function Properties({ free, busy, onChoose }: { free?: boolean; busy?: boolean; onChoose: (id: string) => void }) {
  const [typed, setTyped] = useState('');
  const choices = all.filter((id) => id.includes(typed)).map((id) => ({ id, label: id }));
  return (
    <Combobox
      label="Property"
      value=""
      choices={choices}
      onType={setTyped}
      onChoose={onChoose}
      free={free}
      busy={busy}
    />
  );
}

function setUp(props: { free?: boolean; busy?: boolean } = {}) {
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
