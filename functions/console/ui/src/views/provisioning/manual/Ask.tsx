import { useQueryClient } from '@tanstack/react-query';
import { Check } from 'lucide-react';
import { type FormEvent, type ReactNode, useState } from 'react';
import type { Run } from '@/api/types';
import { Button } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { TextField } from '@/parts/Field';
import { titleOf } from '@/parts/run/words';
import { useAction } from '@/parts/useAction';
import { decide } from '../approvals/decide';
import { ofPage } from './hpke';
import s from './Manual.module.css';
import { pairFor } from './pairs';
import { Scan } from './Scan';

const names = { serial: 'Serial', mac: 'MAC address' } as const;

/** One step: what is to be done, what is needed for it (`children`), what must be told with it, and that it is done. */
export function Ask({ run, children }: { run: Run; children?: ReactNode }) {
  const asks = run.asks!;
  const input = asks.input || '';
  const queries = useQueryClient();
  const [value, setValue] = useState(input ? (run.request[input] ?? '') : '');
  const [lacking, setLacking] = useState('');
  const { busy, refused, run: act } = useAction();
  const send = (given: string) =>
    void act(async () => {
      // Until a credential is made, a page that was loaded anew may give its new key; that of a key file stays.
      const early = !run.results.deviceRef && (!run.request.publicKey || ofPage(run.request.publicKey));
      const pair = early ? await pairFor(run.id).catch(() => undefined) : undefined;
      await decide(queries, run, {
        trigger: 'confirmed',
        ...(input && { [input]: given }),
        ...(pair && { publicKey: pair.publicKey }),
      });
    });
  const submit = (e: FormEvent) => {
    e.preventDefault();
    const given = value.trim();
    if (input && !given) setLacking(`Type or scan the ${names[input].toLowerCase()}.`);
    else send(given);
  };
  return (
    <Card className={s.step}>
      <p className={s.title} dir="auto">
        {titleOf(run.model, asks.state)}
      </p>
      <h2 className={s.text} dir="auto">
        {asks.text}
      </h2>
      {children}
      <form className={s.ask} onSubmit={submit}>
        {input && (
          <>
            <Scan
              onFound={(found) => {
                setValue(found);
                setLacking('');
              }}
            />
            <TextField
              label={names[input]}
              value={value}
              error={lacking || undefined}
              onChange={(e) => {
                setValue(e.target.value);
                setLacking('');
              }}
              maxLength={64}
              autoCapitalize="characters"
              autoCorrect="off"
              enterKeyHint="done"
              className={s.input}
              autoFocus
            />
          </>
        )}
        <Button type="submit" kind="primary" busy={busy} icon={<Check aria-hidden />} className={s.big}>
          {input ? 'Confirm' : 'Done'}
        </Button>
        <p role="alert" className={s.refused}>
          {refused}
        </p>
      </form>
    </Card>
  );
}
