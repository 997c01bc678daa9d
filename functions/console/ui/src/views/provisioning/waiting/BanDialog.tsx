import { useState } from 'react';
import type { Waiting } from '@/api/types';
import { ConfirmDialog } from '@/parts/ConfirmDialog';
import { TextField } from '@/parts/Field';
import { count, plural } from '@/parts/format';
import { toast } from '@/parts/toast';
import { HowFar, useHowFar } from './HowFar';
import { Outcome } from './Outcome';
import { ban, type Settled } from './settle';

/** Refuses devices, with a reason; it can be undone. */
export function BanDialog({
  who,
  onClose,
  onDone,
  onUndo,
}: {
  who: Waiting[];
  onClose: () => void;
  /** With those that were not banned. */
  onDone: (left: string[]) => void;
  onUndo: (who: Waiting[]) => void;
}) {
  const [reason, setReason] = useState('');
  const [out, setOut] = useState<Settled>();
  const far = useHowFar(onClose);
  const work = async () => {
    const ids = who.map((w) => w.id);
    const d = await far.work((tell) => ban(ids, reason.trim(), tell));
    const bad = new Set(d.faults.map((f) => f.id));
    const done = who.filter((w) => !bad.has(w.id));
    if (d.done > 0) toast.done(`${plural(d.done, 'device')} banned`, () => onUndo(done));
    if (bad.size > 0) {
      setOut(d);
      throw new Error('some were not banned');
    }
    onDone([]);
  };
  if (out) return <Outcome out={out} who={who} verb="banned" onClose={() => onDone(out.faults.map((f) => f.id))} />;
  return (
    <ConfirmDialog
      onClose={far.close}
      title={who.length === 1 ? `Ban ${who[0]!.serial.slice(0, 60)}` : `Ban ${count(who.length)} devices`}
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
      <HowFar asked={far.asked} all={who.length} />
    </ConfirmDialog>
  );
}
