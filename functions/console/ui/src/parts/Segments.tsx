import { ToggleGroup as Radix } from 'radix-ui';
import type { ReactNode } from 'react';
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
  return (
    <Radix.Root
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
