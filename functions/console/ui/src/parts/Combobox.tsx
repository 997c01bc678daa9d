import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react';
import s from './Combobox.module.css';
import { cx } from './cx';
import f from './Field.module.css';

export interface Choice {
  id: string;
  label: string;
  note?: ReactNode;
}

/** One of many, found by typing (the ARIA pattern "combobox with list"). `free` takes what was typed if nothing of the list was chosen. */
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
  disabled?: boolean;
  placeholder?: string;
  none?: string;
}) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const [typed, setTyped] = useState<string | null>(null); // null: closed
  const [at, setAt] = useState(0);
  const open = typed !== null;
  const here = Math.min(at, choices.length - 1);
  const said = error || hint ? `${id}-said` : undefined;
  const close = () => {
    setTyped(null);
    onType('');
  };
  const type = (text: string) => {
    setTyped(text);
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
      if (!open) type('');
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
    if (free && typed?.trim()) onChoose(typed.trim());
    if (open) close();
  };
  return (
    <div className={cx(f.field, s.box)}>
      <label htmlFor={id} className={bare ? 'visually-hidden' : f.label}>
        {label}
      </label>
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
        aria-invalid={error ? true : undefined}
        disabled={disabled}
        placeholder={open && value ? value : placeholder}
        value={typed ?? value}
        onChange={(e) => type(e.target.value)}
        onClick={() => !open && type('')}
        onKeyDown={pressed}
        onBlur={leave}
      />
      {open && (
        <div className={s.popup}>
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
        </div>
      )}
      {said && (
        <p id={said} className={error ? f.error : f.hint}>
          {error || hint}
        </p>
      )}
    </div>
  );
}
