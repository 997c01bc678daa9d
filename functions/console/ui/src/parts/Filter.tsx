import { Check, ChevronDown, X } from 'lucide-react';
import { DropdownMenu, Popover } from 'radix-ui';
import { type ReactNode, useState } from 'react';
import { Button } from './Button';
import { cx } from './cx';
import { TextField } from './Field';
import s from './Filter.module.css';
import menu from './Menu.module.css';

export interface Choice {
  id: string;
  label: ReactNode;
  /** What stands at the right: how many there are. */
  note?: ReactNode;
}

/** A filter that is one of some; '' leaves nothing out. */
export function Filter({
  label,
  value,
  choices,
  any = 'Any',
  onChange,
}: {
  label: string;
  value: string;
  choices: readonly Choice[];
  any?: string;
  onChange: (value: string) => void;
}) {
  const chosen = choices.find((c) => c.id === value);
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger className={cx(s.filter, value && s.on)}>
        <Label label={label} value={value && (chosen?.label ?? value)} />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className={cx(menu.menu, s.choices)} align="start" sideOffset={6} collisionPadding={8}>
          <DropdownMenu.RadioGroup value={value} onValueChange={onChange}>
            {[{ id: '', label: any, note: undefined }, ...choices].map((c) => (
              <DropdownMenu.RadioItem key={c.id} value={c.id} className={cx(menu.item, s.choice)}>
                <span className={menu.tick}>
                  <DropdownMenu.ItemIndicator>
                    <Check aria-hidden />
                  </DropdownMenu.ItemIndicator>
                </span>
                <bdi className={s.text}>{c.label}</bdi>
                {c.note !== undefined && <span className={s.note}>{c.note}</span>}
              </DropdownMenu.RadioItem>
            ))}
          </DropdownMenu.RadioGroup>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

/** A filter that is typed, with suggestions. */
export function TextFilter({
  label,
  value,
  suggestions,
  hint,
  onChange,
}: {
  label: string;
  value: string;
  suggestions: readonly string[];
  hint?: string;
  onChange: (value: string) => void;
}) {
  const [open, setOpen] = useState(false);
  const take = (v: string) => {
    onChange(v.trim());
    setOpen(false);
  };
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger className={cx(s.filter, value && s.on)}>
        <Label label={label} value={value} />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content className={cx(menu.menu, s.form)} align="start" sideOffset={6} collisionPadding={8}>
          <form
            onSubmit={(e) => {
              e.preventDefault();
              take(String(new FormData(e.currentTarget).get('value') ?? ''));
            }}
          >
            <TextField label={label} name="value" defaultValue={value} maxLength={64} hint={hint} dir="auto" />
            {suggestions.length > 0 && (
              <div className={s.suggestions}>
                {suggestions.map((v) => (
                  <button key={v} type="button" className={s.suggestion} onClick={() => take(v)}>
                    <bdi>{v}</bdi>
                  </button>
                ))}
              </div>
            )}
            <div className={s.foot}>
              {value && (
                <Button kind="quiet" size="s" onClick={() => take('')}>
                  Clear
                </Button>
              )}
              <Button kind="primary" size="s" type="submit">
                Apply
              </Button>
            </div>
          </form>
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

/** A filter that is on or off. */
export function ToggleFilter({ label, on, onChange }: { label: string; on: boolean; onChange: (on: boolean) => void }) {
  return (
    <button type="button" className={cx(s.filter, on && s.on)} aria-pressed={on} onClick={() => onChange(!on)}>
      {label}
    </button>
  );
}

/** A filter that came with the address and can only be taken away. */
export function SetFilter({ label, value, onRemove }: { label: string; value: string; onRemove: () => void }) {
  return (
    <button type="button" className={cx(s.filter, s.on)} onClick={onRemove}>
      {label}: <bdi className={s.value}>{value}</bdi>
      <X aria-label="remove" />
    </button>
  );
}

function Label({ label, value }: { label: string; value: ReactNode }) {
  return (
    <>
      <span>
        {label}
        {value && ':'}
      </span>
      {value && <bdi className={s.value}>{value}</bdi>}
      <ChevronDown aria-hidden />
    </>
  );
}
