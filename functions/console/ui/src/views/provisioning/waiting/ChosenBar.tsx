import type { Waiting } from '@/api/types';
import { Button } from '@/parts/Button';
import { count } from '@/parts/format';
import s from './Waiting.module.css';

/** What can be done with the devices that are chosen, and choosing those that the list does not show yet. */
export function ChosenBar({
  chosen,
  state,
  more,
  busy,
  onMore,
  onNone,
  onAdmit,
  onBan,
  onBack,
}: {
  chosen: number;
  state: Waiting['state'];
  /** What chooses the others as well; '' if there are none. */
  more: string;
  busy: boolean;
  onMore: () => void;
  onNone: () => void;
  onAdmit: () => void;
  onBan: () => void;
  onBack: () => void;
}) {
  return (
    <section className={s.bar} aria-label="Selected devices">
      <span role="status">{count(chosen)} selected</span>
      {more && (
        <Button size="s" busy={busy} onClick={onMore}>
          {more}
        </Button>
      )}
      <Button size="s" kind="quiet" onClick={onNone}>
        None
      </Button>
      {state === 'waiting' ? (
        <>
          <Button size="s" onClick={onBan}>
            Ban…
          </Button>
          <Button size="s" kind="primary" onClick={onAdmit}>
            Admit…
          </Button>
        </>
      ) : (
        <Button size="s" onClick={onBack}>
          Let wait again
        </Button>
      )}
    </section>
  );
}
