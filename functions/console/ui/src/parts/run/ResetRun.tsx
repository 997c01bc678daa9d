import { useQueryClient } from '@tanstack/react-query';
import { RotateCcw } from 'lucide-react';
import { useState } from 'react';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Run } from '@/api/types';
import { Button } from '@/parts/Button';
import { ConfirmDialog } from '@/parts/ConfirmDialog';
import { TextField } from '@/parts/Field';
import { toast } from '@/parts/toast';
import { has, useUser } from '@/parts/useUser';

/** Withdraws what a run has made, so that the device may be enrolled anew. Cannot be undone, so it is asked for with a reason. */
export function ResetRun({ run }: { run: Run }) {
  const may = has(useUser(), 'maintainer', 'configurator', 'owner');
  const [open, setOpen] = useState(false);
  if (!may || run.withdrawing || run.outcome === 'rejected') return null;
  return (
    <>
      <Button size="s" icon={<RotateCcw aria-hidden />} onClick={() => setOpen(true)}>
        Reset…
      </Button>
      {open && <Ask run={run} onClose={() => setOpen(false)} />}
    </>
  );
}

function Ask({ run, onClose }: { run: Run; onClose: () => void }) {
  const [reason, setReason] = useState('');
  const queries = useQueryClient();
  const reset = async () => {
    const params = { path: { id: run.id } };
    const body = { reason: reason.trim() };
    const now = await ok(api.POST('/function/twin-provision/runs/{id}/reset', { params, body }));
    queries.setQueryData(keys.run(run.id), now);
    for (const word of ['runs', 'twin', 'twins', 'counts']) void queries.invalidateQueries({ queryKey: [word] });
    toast.done('The run is reset');
  };
  return (
    <ConfirmDialog
      onClose={onClose}
      title="Reset this run?"
      note="What it has made is withdrawn: the device is cut off, its certificate is revoked, and it may be enrolled anew."
      verb="Reset"
      danger
      work={reset}
    >
      <TextField
        label="Reason"
        value={reason}
        onChange={(e) => setReason(e.target.value)}
        maxLength={200}
        hint="Stands in the run’s log, beside your name."
        required
        autoFocus
      />
    </ConfirmDialog>
  );
}
