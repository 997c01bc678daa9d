import { type FormEvent, useId, useState } from 'react';
import { Button } from '@/parts/Button';
import { Dialog } from '@/parts/Dialog';
import { TextArea } from '@/parts/Field';

/** Takes alarms on, with a note for the others. */
export function NoteDialog({
  count,
  open,
  onClose,
  onTake,
}: {
  count: number;
  open: boolean;
  onClose: () => void;
  onTake: (note: string) => void;
}) {
  const [note, setNote] = useState('');
  const id = useId();
  const submit = (e: FormEvent) => {
    e.preventDefault();
    onClose();
    onTake(note.trim());
    setNote('');
  };
  return (
    <Dialog
      open={open}
      onClose={onClose}
      title={count === 1 ? 'Take the alarm on' : `Take ${count} alarms on`}
      note="The others see that it is yours."
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" form={id}>
            Take on
          </Button>
        </>
      }
    >
      <form id={id} onSubmit={submit}>
        <TextArea
          label="Note"
          placeholder="On my way, back in an hour…"
          dir="auto"
          spellCheck
          maxLength={1000}
          value={note}
          onChange={(e) => setNote(e.target.value)}
        />
      </form>
    </Dialog>
  );
}
