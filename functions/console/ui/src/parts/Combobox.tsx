import { Popper } from 'radix-ui/internal';
import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react';
import s from './Combobox.module.css';
import f from './Field.module.css';

export interface Choice {
  id: string;
  label: string;
  note?: ReactNode;
}

/**
 * One of many, found by typing (the ARIA pattern "combobox with list"). What was typed and is nothing of the list is dropped when the
 * field is left; `free` takes it, with `unchosen` it stays and that is said of it, so that nobody thinks it chosen.
 */
export function Combobox({
  label,
  bare,
  hint,
  error,
  value,
  choices,
  onType,
  onChoose,
  busy,
  free,
  unchosen,
  disabled,
  placeholder,
  none = 'Nothing found.',
}: {
  label: string;
  bare?: boolean;
  hint?: ReactNode;
  error?: string;
  /** What is chosen, as it is written in the field. */
  value: string;
  choices: Choice[];
  onType: (text: string) => void;
  onChoose: (id: string) => void;
  busy?: boolean;
  free?: boolean;
  unchosen?: string;
  disabled?: boolean;
  placeholder?: string;
  none?: string;
}) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const [typed, setTyped] = useState<string | null>(null); // null: closed
  const [left, setLeft] = useState(false); // closed, and what was typed stays
  const [at, setAt] = useState(0);
  const open = typed !== null && !left;
  const here = Math.min(at, choices.length - 1);
  const wrong = error || (left ? unchosen : undefined);
  const said = wrong || hint ? `${id}-said` : undefined;
  const close = () => {
    setTyped(null);
    setLeft(false);
    onType('');
  };
  const type = (text: string) => {
    setTyped(text);
    setLeft(false);
    setAt(0);
    onType(text);
  };
  const choose = (c: Choice) => {
    onChoose(c.id);
    close();
  };
  useEffect(() => {
    if (open) list.current?.children[here]?.scrollIntoView({ block: 'nearest' });
  }, [open, here]);
  const pressed = (e: KeyboardEvent) => {
    if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
      e.preventDefault();
      if (!open) type(typed ?? '');
      else setAt((here + (e.key === 'ArrowDown' ? 1 : -1) + choices.length) % Math.max(1, choices.length));
    } else if (e.key === 'Enter' && open) {
      e.preventDefault();
      if (busy) return; // the list is of what was typed before
      const c = choices[here];
      if (c && !(free && typed && !choices.some((x) => x.id.includes(typed)))) choose(c);
      else leave();
    } else if (e.key === 'Escape' && open) {
      e.stopPropagation();
      close();
    }
  };
  const leave = () => {
    const text = typed?.trim();
    if (free && text) onChoose(text);
    if (!open) return;
    const exact = busy ? undefined : choices.find((c) => c.id === text);
    if (!unchosen || !text) close();
    else if (exact) choose(exact);
    else setLeft(true);
  };
  return (
    <div className={f.field}>
      <label htmlFor={id} className={bare ? 'visually-hidden' : f.label}>
        {label}
      </label>
      <Popper.Root>
        <Popper.Anchor asChild>
          <input
            id={id}
            type="text"
            role="combobox"
            className={f.input}
            autoComplete="off"
            spellCheck={false}
            maxLength={128}
            dir="auto"
            aria-expanded={open}
            aria-controls={`${id}-list`}
            aria-autocomplete="list"
            aria-activedescendant={open && choices[here] ? `${id}-${here}` : undefined}
            aria-describedby={said}
            aria-invalid={wrong ? true : undefined}
            disabled={disabled}
            placeholder={open && value ? value : placeholder}
            value={typed ?? value}
            onChange={(e) => type(e.target.value)}
            onClick={() => !open && type(typed ?? '')}
            onKeyDown={pressed}
            onBlur={leave}
          />
        </Popper.Anchor>
        {open && (
          <Popper.Content className={s.popup} align="start" sideOffset={4} collisionPadding={8}>
            <div ref={list} id={`${id}-list`} className={s.list} role="listbox" aria-label={label} aria-busy={busy}>
              {choices.map((c, i) => (
                // biome-ignore lint/a11y/useKeyWithClickEvents lint/a11y/useFocusableInteractive: the focus stays in the field, which takes the keys and names the active option
                <div
                  key={c.id}
                  id={`${id}-${i}`}
                  role="option"
                  aria-selected={i === here}
                  className={s.choice}
                  onPointerDown={(e) => e.preventDefault()}
                  onPointerMove={() => i !== here && setAt(i)}
                  onClick={() => choose(c)}
                >
                  <bdi className={s.label}>{c.label}</bdi>
                  {c.note && <span className={s.note}>{c.note}</span>}
                </div>
              ))}
            </div>
            {choices.length === 0 && (
              <p className={s.none} role="status">
                {busy ? 'Searching…' : free && typed ? `Enter takes “${typed}”.` : none}
              </p>
            )}
          </Popper.Content>
        )}
      </Popper.Root>
      {said && (
        <p id={said} className={wrong ? f.error : f.hint}>
          {wrong || hint}
        </p>
      )}
    </div>
  );
}
