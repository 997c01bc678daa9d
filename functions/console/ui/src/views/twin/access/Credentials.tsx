import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok } from '@/api/client';
import { credentialsOf } from '@/api/reads';
import type { CredentialFact, Twin } from '@/api/types';
import { Badge, type Tone } from '@/parts/Badge';
import { Button } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { ConfirmDialog } from '@/parts/ConfirmDialog';
import { TextField } from '@/parts/Field';
import { Listed } from '@/parts/Listed';
import { useMayWrite } from '@/parts/may';
import { Time } from '@/parts/Time';
import { toast } from '@/parts/toast';
import { has, useUser } from '@/parts/useUser';
import { actor } from '@/parts/words';
import s from './Access.module.css';

const tones: Record<CredentialFact['state'], Tone> = { active: 'ok', pending: 'info', ended: 'neutral' };
const words: Record<CredentialFact['state'], string> = { active: 'in use', pending: 'not shown yet', ended: 'ended' };

/** What a device proves itself by, and what it had before; no secret is among it. */
export function Credentials({ twin }: { twin: Twin }) {
  const query = useQuery({ ...credentialsOf(twin.id), refetchInterval: 10_000 });
  const role = has(useUser(), 'maintainer', 'configurator', 'owner');
  const may = useMayWrite(twin.id, twin.definition.owner) && role;
  const [revoking, setRevoking] = useState<CredentialFact>();
  const items = query.data?.items ?? [];
  return (
    <Card title="Credentials" note="what the device proves itself by" flush>
      <Listed
        query={query}
        count={items.length}
        lines={2}
        what="The credentials could not be read"
        empty={<p className={s.pad}>None. It gets one when it is provisioned.</p>}
      >
        <ul>
          {items.map((c) => (
            <li key={`${c.ref} ${c.generation}`} className={s.credential}>
              <span className={s.kind}>
                <b>{c.kind}</b>
                <Badge tone={tones[c.state]}>
                  {c.viaTwin && c.state === 'pending' ? 'not heard yet' : words[c.state]}
                </Badge>
              </span>
              <span className={s.times}>
                <span>
                  {c.generation > 1 ? `renewed, number ${c.generation}, ` : 'issued '}
                  <Time at={c.issued} />
                </span>
                {c.ended ? (
                  <span>
                    ended <Time at={c.ended} />
                    {c.by && (
                      <>
                        {' '}
                        by <bdi>{c.by.startsWith('device:') ? 'its device' : actor(c.by)}</bdi>
                      </>
                    )}
                  </span>
                ) : (
                  <span>
                    expires <Time at={c.expires} />
                  </span>
                )}
                {c.reason && (
                  <span className={s.reason} dir="auto">
                    {c.reason}
                  </span>
                )}
                <code className={s.print} title={c.fingerprint}>
                  {c.username ? `user ${c.username}` : c.fingerprint ? `SHA-256 ${c.fingerprint}` : c.ref}
                </code>
              </span>
              {may && c.state !== 'ended' && (
                <Button size="s" kind="danger" onClick={() => setRevoking(c)}>
                  Revoke…
                </Button>
              )}
            </li>
          ))}
        </ul>
      </Listed>
      {revoking && <Revoke credential={revoking} onClose={() => setRevoking(undefined)} />}
    </Card>
  );
}

function Revoke({ credential: c, onClose }: { credential: CredentialFact; onClose: () => void }) {
  const queries = useQueryClient();
  const [reason, setReason] = useState('');
  const revoke = async () => {
    const params = { path: { ref: c.ref } };
    await ok(api.POST('/function/credentials/credentials/{ref}/revoke', { params, body: { reason: reason.trim() } }));
    toast.done('The credential is revoked');
    for (const word of ['credentials', 'places', 'twin']) void queries.invalidateQueries({ queryKey: [word] });
  };
  return (
    <ConfirmDialog
      onClose={onClose}
      title="Revoke this credential?"
      note="The device is cut off within a second, and refused until it is provisioned anew. It cannot be undone."
      verb="Revoke"
      danger
      disabled={!reason.trim()}
      work={revoke}
    >
      <TextField
        label="Reason"
        maxLength={500}
        required
        hint="Stands beside the credential, with your name."
        value={reason}
        onChange={(e) => setReason(e.target.value)}
      />
    </ConfirmDialog>
  );
}
