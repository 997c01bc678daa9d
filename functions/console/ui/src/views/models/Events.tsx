import { Plus, X } from 'lucide-react';
import type { SimulatedEvent } from '@/api/types';
import { Button, IconButton } from '@/parts/Button';
import { Select, TextField } from '@/parts/Field';
import form from '@/parts/Form.module.css';
import s from './DryRun.module.css';
import { type Happening, happenings, moreOf } from './sample';

/** What happens to the device, one after the other. */
export function Events({
  events,
  unused,
  onChange,
  onAdd,
}: {
  events: Happening[];
  /** Those that the run has not come to. */
  unused: readonly SimulatedEvent[];
  onChange: (events: Happening[]) => void;
  onAdd: (when: Happening['when']) => void;
}) {
  const set = (key: number, change: Partial<Happening>) =>
    onChange(events.map((e) => (e.key === key ? { ...e, ...change } : e)));
  return (
    <fieldset className={form.set}>
      <legend>What happens</legend>
      {events.length === 0 && (
        <p className={s.note}>Nothing yet. The run stops where it waits; say there what happens next.</p>
      )}
      <ol className={s.events}>
        {events.map((e, i) => (
          <li key={e.key} className={s.event}>
            <Select
              label={`Event ${i + 1}`}
              bare
              value={e.when}
              onChange={(x) => set(e.key, { when: x.target.value as Happening['when'] })}
            >
              {happenings.map((w) => (
                <option key={w} value={w}>
                  {w}
                </option>
              ))}
            </Select>
            <TextField
              label={`Event ${i + 1} after`}
              bare
              placeholder="after, like 2h"
              maxLength={16}
              value={e.after}
              onChange={(x) => set(e.key, { after: x.target.value })}
            />
            <IconButton label={`Remove event ${i + 1}`} onClick={() => onChange(events.filter((x) => x.key !== e.key))}>
              <X aria-hidden />
            </IconButton>
            {moreOf(e.when) && (
              <TextField
                className={s.more}
                label={`${moreOf(e.when)} of event ${i + 1}`}
                bare
                placeholder={moreOf(e.when) === 'Reason' ? 'reason' : 'name = value, …'}
                maxLength={500}
                value={e.more}
                onChange={(x) => set(e.key, { more: x.target.value })}
              />
            )}
          </li>
        ))}
      </ol>
      {unused.length > 0 && <p className={s.note}>Not come to: {unused.map((u) => u.when).join(', ')}.</p>}
      <div>
        <Button size="s" icon={<Plus aria-hidden />} onClick={() => onAdd('timer')}>
          Add an event
        </Button>
      </div>
    </fieldset>
  );
}
