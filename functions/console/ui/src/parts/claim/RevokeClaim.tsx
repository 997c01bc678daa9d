import { useQueryClient } from '@tanstack/react-query';
import { api, ok } from '@/api/client';
import type { Claim } from '@/api/types';
import { ConfirmDialog } from '@/parts/ConfirmDialog';
import { toast } from '@/parts/toast';

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
