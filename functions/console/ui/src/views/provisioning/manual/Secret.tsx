import { useQuery } from '@tanstack/react-query';
import { TriangleAlert } from 'lucide-react';
import { useState } from 'react';
import { api, ok } from '@/api/client';
import type { Bundle, Run } from '@/api/types';
import { Button } from '@/parts/Button';
import { CodeBlock, CopyButton } from '@/parts/Copy';
import { ResetRun } from '@/parts/run/ResetRun';
import { Failure, Skeleton } from '@/parts/States';
import { quoted } from '@/parts/shell';
import { ofPage } from './hpke';
import s from './Manual.module.css';
import { pairOf } from './pairs';

interface Plain {
  kind: string;
  ref: string;
  username?: string;
  secret: string;
}

/** What the device needs to go operational. The secret opens by the key that this page made, and nowhere else. */
export function Secret({ run }: { run: Run }) {
  const pair = pairOf(run.id);
  const query = useQuery({
    queryKey: ['bundle', run.id, run.round],
    enabled: !!pair,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0, // it goes with what shows it
    queryFn: async ({ signal }) => {
      const b = await ok(
        api.GET('/function/twin-provision/runs/{id}/bundle', { params: { path: { id: run.id } }, signal }),
      );
      const plain = b.sealed
        ? (JSON.parse(await pair!.open(`castor credential ${b.ref}`, b.sealed)) as Plain)
        : undefined;
      return { bundle: b, plain };
    },
  });
  if (!pair && run.request.publicKey && !ofPage(run.request.publicKey))
    return (
      <section className={s.secret} aria-label="Its secret">
        <p>The secret is sealed to the key file with which the run was begun. On the machine that has it:</p>
        <CodeBlock label="command" code={`castor run bundle ${quoted(run.id)} --key device.key`} />
      </section>
    );
  if (!pair)
    return (
      <section className={s.secret} aria-label="Its secret">
        <p className={s.warn}>
          <TriangleAlert aria-hidden />
          <span>
            The secret was sealed to the page that began this run, and that page is gone: nobody can open it any more.
            If it was not installed yet, reset the run and begin anew.
          </span>
        </p>
        <ResetRun run={run} />
      </section>
    );
  if (query.isPending) return <Skeleton lines={4} />;
  if (!query.data)
    return <Failure error={query.error} what="The secret could not be opened" retry={() => void query.refetch()} />;
  return <Shown {...query.data} />;
}

function Shown({ bundle: b, plain }: { bundle: Bundle; plain?: Plain }) {
  const [seen, setSeen] = useState(false);
  return (
    <section className={s.secret} aria-label="What the device needs">
      <p className={s.warn}>
        <TriangleAlert aria-hidden />
        <span>
          The secret can be seen in this window only, until it is loaded anew or the device is in. The platform keeps no
          copy that can be read. Copy it to the device, not into a message or a note.
        </span>
      </p>
      <dl className={s.needs}>
        <Line name="Gateway" text={b.gateway} />
        {plain?.username && <Line name="User name" text={plain.username} />}
        {!plain?.username && <Line name="Client id" text={b.ref} />}
        {plain && (
          <div>
            <dt>{plain.kind === 'password' ? 'Password' : plain.kind === 'api-key' ? 'API key' : 'Token'}</dt>
            <dd>
              {seen ? (
                <code data-testid="secret">{plain.secret}</code>
              ) : (
                <Button size="s" onClick={() => setSeen(true)}>
                  Show it
                </Button>
              )}
              <CopyButton text={plain.secret} label="Copy the secret" />
            </dd>
          </div>
        )}
        <div>
          <dt>CA certificate</dt>
          <dd>
            <a className={s.link} href="/function/credentials/ca" download="castor-ca.pem">
              Download
            </a>
            <CopyButton text={b.ca} label="Copy the CA certificate" />
          </dd>
        </div>
      </dl>
    </section>
  );
}

function Line({ name, text }: { name: string; text: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <code>{text}</code>
        <CopyButton text={text} label={`Copy the ${name.toLowerCase()}`} />
      </dd>
    </div>
  );
}
