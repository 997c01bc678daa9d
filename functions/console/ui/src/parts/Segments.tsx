import { ToggleGroup as Radix } from 'radix-ui';
import { type ReactNode, useEffect, useRef } from 'react';
import s from './Segments.module.css';

/** A choice among a few that are all shown. */
export function Segments<T extends string>({
  label,
  value,
  onChange,
  items,
}: {
  label: string;
  value: T;
  onChange: (value: T) => void;
  items: readonly { id: T; label: ReactNode }[];
}) {
  const root = useRef<HTMLDivElement>(null);
  // Where there is no room for all, the row scrolls: what is chosen is seen all the same.
  // biome-ignore lint/correctness/useExhaustiveDependencies: whenever another one is chosen
  useEffect(() => {
    const row = root.current;
    const on = row?.querySelector<HTMLElement>('[data-state=on]');
    if (!row || !on || row.scrollWidth <= row.clientWidth) return;
    row.scrollLeft = on.offsetLeft - (row.clientWidth - on.offsetWidth) / 2;
  }, [value]);
  return (
    <Radix.Root
      ref={root}
      type="single"
      className={s.segments}
      aria-label={label}
      value={value}
      onValueChange={(v) => v && onChange(v as T)}
    >
      {items.map((i) => (
        <Radix.Item key={i.id} value={i.id} className={s.segment}>
          {i.label}
        </Radix.Item>
      ))}
    </Radix.Root>
  );
}
