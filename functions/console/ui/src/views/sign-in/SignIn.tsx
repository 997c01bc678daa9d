import { type FormEvent, useEffect, useState } from 'react';
import { session } from '@/api/session';
import { Button } from '@/parts/Button';
import { TextField } from '@/parts/Field';
import castor from '../../castor.svg';
import s from './SignIn.module.css';

/** Name and password of a local user. What was asked for is shown afterwards: the address does not change. */
export default function SignIn() {
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState('');
  useEffect(() => {
    document.title = 'Sign in · Castor';
  }, []);
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setBusy(true);
    setError('');
    try {
      await session.signIn(name.trim(), password);
    } catch (e) {
      setError(e instanceof Error ? e.message : String(e));
      setPassword('');
    } finally {
      setBusy(false);
    }
  };
  return (
    <main className={s.page}>
      <form className={s.form} onSubmit={submit}>
        <img src={castor} alt="" width={40} height={40} />
        <h1>Sign in to Castor</h1>
        <TextField
          label="Name"
          name="username"
          autoComplete="username"
          autoCapitalize="none"
          value={name}
          onChange={(e) => setName(e.target.value)}
          maxLength={64}
          required
          autoFocus
        />
        <TextField
          label="Password"
          name="password"
          type="password"
          autoComplete="current-password"
          value={password}
          onChange={(e) => setPassword(e.target.value)}
          maxLength={1024}
          required
        />
        <p className={s.error} role="alert">
          {error}
        </p>
        <Button type="submit" kind="primary" busy={busy} disabled={!name.trim() || !password}>
          Sign in
        </Button>
        <p className={s.help}>
          The first administrator is <b>admin</b>; the password was shown when the platform was first started. A
          maintainer makes other users with <code>castor user create</code>.
        </p>
      </form>
    </main>
  );
}
