import { act, fireEvent, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { TooltipProvider } from '@/parts/Tooltip';
import SignIn from './SignIn';

afterEach(() => {
  vi.unstubAllGlobals();
  document.body.replaceChildren();
});

/** The page, whose calls are answered by these. */
function shown(...answers: [status: number, body: object, headers?: Record<string, string>][]) {
  const asked: string[] = [];
  vi.stubGlobal('fetch', async (_: string, init: RequestInit) => {
    asked.push(String(init.body));
    const [status, body, headers] = answers.shift() ?? [500, {}];
    return new Response(JSON.stringify(body), { status, headers });
  });
  render(
    <TooltipProvider>
      <SignIn />
    </TooltipProvider>,
  );
  return asked;
}

const name = () => screen.getByLabelText('Name') as HTMLInputElement;
const password = () => screen.getByLabelText('Password') as HTMLInputElement;

describe('SignIn', () => {
  it('is a form that password managers know', () => {
    shown();
    expect(name().autocomplete).toBe('username');
    expect(password().autocomplete).toBe('current-password');
    expect(document.activeElement).toBe(name());
  });

  it('asks for what is missing, where it is missing', async () => {
    const asked = shown();
    await userEvent.click(screen.getByRole('button', { name: 'Sign in' }));
    expect(document.activeElement).toBe(name());
    expect(name().getAttribute('aria-invalid')).toBe('true');
    expect(password().getAttribute('aria-invalid')).toBeNull();
    await userEvent.type(name(), 'ada{Enter}');
    expect(name().getAttribute('aria-invalid')).toBeNull();
    expect(document.activeElement).toBe(password());
    expect(asked).toEqual([]);
  });

  it('says at the field what was wrong, and lets it be typed again', async () => {
    const asked = shown([401, { title: 'Unauthorized', status: 401, detail: 'the name or the password is wrong' }]);
    await userEvent.type(name(), ' ada ');
    await userEvent.type(password(), 'nope{Enter}');
    await screen.findByRole('alert');
    await vi.waitFor(() => expect(password().getAttribute('aria-invalid')).toBe('true'));
    const said = document.getElementById(password().getAttribute('aria-describedby') ?? '');
    expect(said?.textContent).toBe('The name or the password is wrong.');
    expect(document.activeElement).toBe(password());
    expect(JSON.parse(asked[0] ?? '')).toEqual({ name: 'ada', password: 'nope' });
  });

  it('counts down while it is throttled', async () => {
    shown([
      429,
      { title: 'Too Many Requests', status: 429, detail: 'too many failed sign-ins' },
      { 'Retry-After': '3' },
    ]);
    await userEvent.type(name(), 'ada');
    await userEvent.type(password(), 'nope{Enter}');
    const button = (await screen.findByRole('button', { name: /Wait \d s/ })) as HTMLButtonElement;
    expect(button.disabled).toBe(true);
    expect(screen.getByText(/next one is possible in 3 s/)).toBeTruthy();
  });

  it('tells that Caps Lock is on', async () => {
    shown();
    await act(async () => {
      fireEvent.keyDown(password(), { key: 'A', modifierCapsLock: true });
    });
    expect(screen.getByText('Caps Lock is on.')).toBeTruthy();
  });
});
