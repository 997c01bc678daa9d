import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import type { Twin } from '@/api/types';
import { ConfirmDialog } from '@/parts/ConfirmDialog';
import { TextField } from '@/parts/Field';
import { toast } from '@/parts/toast';

/** Keeps a device out, or lets it in again. */
export function Suspend({ twin, onClose }: { twin: Twin; onClose: () => void }) {
  const queries = useQueryClient();
  const [reason, setReason] = useState('');
  const resume = !!twin.definition.suspended || twin.definition.phase === 'suspended';
  const act = async () => {
    const call = { params: { path: { id: twin.id } }, body: { reason: reason.trim() } };
    const now = await ok(
      resume
        ? api.POST('/function/twins/twins/{id}/resume', call)
        : api.POST('/function/twins/twins/{id}/suspend', call),
    );
    queries.setQueryData(keys.twin(twin.id), now);
    for (const word of ['places', 'twins', 'counts']) void queries.invalidateQueries({ queryKey: [word] });
    toast.done(resume ? 'The device is let in again' : 'The device is suspended');
  };
  return (
    <ConfirmDialog
      onClose={onClose}
      title={resume ? 'Let this device in again?' : 'Suspend this device?'}
      note={
        resume
          ? 'It comes in with the place and the credential that it has.'
          : 'It is cut off within a second, on every gateway. Its place and its credential stay.'
      }
      verb={resume ? 'Resume' : 'Suspend'}
      disabled={!reason.trim()}
      work={act}
    >
      <TextField
        label="Reason"
        hint="For the audit."
        maxLength={500}
        required
        value={reason}
        onChange={(e) => setReason(e.target.value)}
      />
    </ConfirmDialog>
  );
}
