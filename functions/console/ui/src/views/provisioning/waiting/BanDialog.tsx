import { useState } from 'react';
import type { Waiting } from '@/api/types';
import { ConfirmDialog } from '@/parts/ConfirmDialog';
import { TextField } from '@/parts/Field';
import { plural } from '@/parts/format';
import { toast } from '@/parts/toast';
import { ban } from './settle';

/** Refuses devices, with a reason; it can be undone. */
export function BanDialog({
  who,
  onClose,
  onDone,
  onUndo,
}: {
  who: Waiting[];
  onClose: () => void;
  onDone: () => void;
  onUndo: (who: Waiting[]) => void;
}) {
  const [reason, setReason] = useState('');
  const work = async () => {
    const d = await ban(
      who.map((w) => w.id),
      reason.trim(),
    );
    const bad = new Set(d.faults?.map((f) => f.id));
    const done = who.filter((w) => !bad.has(w.id));
    if (d.done > 0) toast.done(`${plural(d.done, 'device')} banned`, () => onUndo(done));
    if (bad.size > 0) toast.failed(`${plural(bad.size, 'device')} not banned`, new Error(d.faults?.[0]?.reason ?? ''));
    onDone();
  };
  return (
    <ConfirmDialog
      onClose={onClose}
      title={who.length === 1 ? `Ban ${who[0]!.serial.slice(0, 60)}` : `Ban ${who.length} devices`}
      note="They are refused by their keys, whatever they say they are. It can be taken back."
      verb="Ban"
      danger
      work={work}
    >
      <TextField
        label="Reason"
        value={reason}
        onChange={(e) => setReason(e.target.value)}
        maxLength={200}
        required
        autoFocus
      />
    </ConfirmDialog>
  );
}
