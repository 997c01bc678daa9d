import { useId } from 'react';
import s from './Options.module.css';

/** One of a few ways to do something, each with what it means. */
export interface Option<T extends string> {
  id: T;
  title: string;
  about: string;
}

/** A choice between them, side by side where there is room. */
export function Options<T extends string>({
  options,
  value,
  onChange,
}: {
  options: readonly Option<T>[];
  value: T;
  onChange: (value: T) => void;
}) {
  const name = useId();
  return (
    <div className={s.choice}>
      {options.map((o) => (
        <label key={o.id} className={s.option}>
          <input type="radio" name={name} checked={value === o.id} onChange={() => onChange(o.id)} />
          {o.title}
          <small>{o.about}</small>
        </label>
      ))}
    </div>
  );
}
