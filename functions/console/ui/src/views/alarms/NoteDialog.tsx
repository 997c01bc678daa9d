import { useState } from 'react';
import { ConfirmDialog } from '@/parts/ConfirmDialog';
import { TextArea } from '@/parts/Field';

/** Takes alarms on, with a note for the others. */
export function NoteDialog({
  count,
  onClose,
  onTake,
}: {
  count: number;
  onClose: () => void;
  onTake: (note: string) => void;
}) {
  const [note, setNote] = useState('');
  // It shows at once in the list, and a refusal there: nothing is waited for.
  const take = async () => onTake(note.trim());
  return (
    <ConfirmDialog
      onClose={onClose}
      title={count === 1 ? 'Take the alarm on' : `Take ${count} alarms on`}
      note="The others see that it is yours."
      verb="Take on"
      work={take}
    >
      <TextArea
        label="Note"
        placeholder="On my way, back in an hour…"
        dir="auto"
        spellCheck
        maxLength={1000}
        value={note}
        onChange={(e) => setNote(e.target.value)}
      />
    </ConfirmDialog>
  );
}
