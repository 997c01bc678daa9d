import { type FormEvent, type KeyboardEvent, useEffect, useRef, useState } from 'react';
import { ApiError, reasonOf } from '@/api/problem';
import { session } from '@/api/session';
import { Button } from '@/parts/Button';
import { TextField } from '@/parts/Field';
import castor from '../../castor.svg';
import s from './SignIn.module.css';
import { useCountdown } from './useCountdown';

/** Seconds, where the answer does not say how long. */
const pause = 5;

/** Name and password of a local user. What was asked for is shown afterwards: the address does not change. */
export default function SignIn() {
  const [busy, setBusy] = useState(false);
  const [nameless, setNameless] = useState(false);
  const [error, setError] = useState('');
  const [capsLock, setCapsLock] = useState(false);
  const [wait, startWait] = useCountdown();
  const name = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);
  useEffect(() => {
    document.title = 'Sign in · Castor';
  }, []);

  const submit = async (e: FormEvent) => {
    e.preventDefault();
    // Read from the fields, not from events: some password managers fill in without telling.
    const n = name.current?.value.trim() ?? '';
    const p = password.current?.value ?? '';
    setNameless(!n);
    setError('');
    if (!n || !p) {
      if (n) setError('Enter your password.');
      (n ? password : name).current?.focus();
      return;
    }
    setBusy(true);
    try {
      await session.signIn(n, p);
    } catch (e) {
      const throttled = e instanceof ApiError && e.status === 429;
      if (throttled) startWait(e.retryAfter || pause);
      setError(throttled ? 'You can try again now.' : reasonOf(e)); // shown when the wait is over
      setBusy(false);
      // What was typed stays, to be corrected; typing replaces it.
      password.current?.focus();
      password.current?.select();
    }
  };
  const watchCapsLock = (e: KeyboardEvent) => setCapsLock(e.getModifierState('CapsLock'));
  const wrong = error !== '';
  return (
    <main className={s.page} id="main">
      <form className={s.form} onSubmit={submit} noValidate>
        <img src={castor} alt="" width={40} height={40} />
        <h1>Sign in to Castor</h1>
        {session.ended() && (
          <p className={s.ended} role="status">
            Your session has ended. Sign in to go on where you were.
          </p>
        )}
        <TextField
          ref={name}
          label="Name"
          name="username"
          autoComplete="username"
          autoCapitalize="none"
          maxLength={64}
          required
          error={nameless ? 'Enter your name.' : undefined}
          autoFocus
        />
        <TextField
          ref={password}
          label="Password"
          name="password"
          type="password"
          autoComplete="current-password"
          maxLength={1024}
          required
          hint={capsLock ? 'Caps Lock is on.' : undefined}
          error={wrong ? (wait > 0 ? tooMany(wait) : error) : undefined}
          onKeyDown={watchCapsLock}
          onKeyUp={watchCapsLock}
          onBlur={() => setCapsLock(false)}
        />
        {/* Read out when it comes and when the wait is over, and not again with every second that passes. */}
        <p className="visually-hidden" role="alert">
          {nameless ? 'Enter your name.' : wait > 0 ? 'Too many attempts. Wait before the next one.' : error}
        </p>
        <Button type="submit" kind="primary" busy={busy} disabled={wait > 0}>
          {wait > 0 ? `Wait ${wait} s` : 'Sign in'}
        </Button>
        <p className={s.help}>
          The first administrator is <b>admin</b>; the password was shown when the platform was first started. A
          maintainer makes other users with <code>castor user create</code>.
        </p>
      </form>
    </main>
  );
}

const tooMany = (wait: number) => `Too many attempts. The next one is possible in ${wait} s.`;
