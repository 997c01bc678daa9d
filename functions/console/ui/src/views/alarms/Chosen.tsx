import { useState } from 'react';
import { Button } from '@/parts/Button';
import s from './Chosen.module.css';
import { NoteDialog } from './NoteDialog';

/** What can be done with the alarms that are selected. */
export function Chosen({
  count,
  onTake,
  onNone,
}: {
  count: number;
  onTake: (note: string) => void;
  onNone: () => void;
}) {
  const [noting, setNoting] = useState(false);
  return (
    <section className={s.chosenBar} aria-label="Selected alarms">
      <span role="status">{count} selected</span>
      <Button size="s" kind="quiet" onClick={onNone}>
        None
      </Button>
      <Button size="s" onClick={() => setNoting(true)}>
        With a note…
      </Button>
      <Button size="s" kind="primary" onClick={() => onTake('')}>
        Take on
      </Button>
      {noting && <NoteDialog count={count} onClose={() => setNoting(false)} onTake={onTake} />}
    </section>
  );
}
