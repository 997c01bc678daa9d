import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok } from '@/api/client';
import type { Claim } from '@/api/types';
import { Button } from '@/parts/Button';
import { ConfirmDialog } from '@/parts/ConfirmDialog';
import { useNow } from '@/parts/Time';
import { toast } from '@/parts/toast';
import { has, useUser } from '@/parts/useUser';
import { open } from './claim';

/** Asks before a claim is ended. */
export function RevokeClaim({ claim, onClose }: { claim: Claim; onClose: () => void }) {
  const queries = useQueryClient();
  const revoke = async () => {
    await ok(api.DELETE('/function/credentials/claims/{id}', { params: { path: { id: claim.id } } }));
    toast.done('The claim is revoked');
    void queries.invalidateQueries({ queryKey: ['claims'] });
  };
  return (
    <ConfirmDialog
      onClose={onClose}
      title="Revoke this claim?"
      note="Nothing comes in with it any more, and devices that are connected with it are cut off. Devices that came in already stay. It cannot be undone; a new claim can be made."
      verb="Revoke"
      danger
      work={revoke}
    >
      <code>{claim.id}</code>
    </ConfirmDialog>
  );
}

/** Ends a claim that still lets somebody in, where who looks at it may. */
export function RevokeButton({ claim }: { claim: Claim }) {
  const may = has(useUser(), 'maintainer', 'configurator', 'owner');
  const [asking, setAsking] = useState(false);
  const good = open(claim, useNow());
  if (!may || !(good || asking)) return null;
  return (
    <>
      <Button size="s" kind="danger" onClick={() => setAsking(true)}>
        Revoke…
      </Button>
      {asking && <RevokeClaim claim={claim} onClose={() => setAsking(false)} />}
    </>
  );
}
