import type { Waiting } from '@/api/types';
import { Button } from '@/parts/Button';
import { Dialog } from '@/parts/Dialog';
import { count, plural } from '@/parts/format';
import type { Settled } from './settle';
import s from './Waiting.module.css';

const most = 200; // of a list that people read

/** For whom a decision could not be carried out, and why. They stay selected, so that they can be tried again. */
export function Outcome({
  out,
  who,
  verb,
  onClose,
}: {
  out: Settled;
  who: Waiting[];
  /** What was done, as in "3 devices admitted". */
  verb: string;
  onClose: () => void;
}) {
  const serials = new Map(who.map((w) => [w.id, w.serial]));
  const rest = out.faults.length - most;
  return (
    <Dialog
      open
      onClose={onClose}
      title={`${plural(out.done, 'device')} ${verb}, ${count(out.faults.length)} not`}
      footer={
        <Button kind="primary" onClick={onClose}>
          Close
        </Button>
      }
    >
      <ul className={s.faults}>
        {out.faults.slice(0, most).map((f) => (
          <li key={f.id}>
            <b>
              <bdi>{serials.get(f.id) ?? f.id}</bdi>
            </b>
            <span dir="auto">{f.reason}</span>
          </li>
        ))}
      </ul>
      {rest > 0 && <p>and {plural(rest, 'other')}</p>}
    </Dialog>
  );
}
