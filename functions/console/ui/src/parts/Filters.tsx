import type { ReactNode } from 'react';
import { TextField } from './Field';
import s from './Filters.module.css';

/** The row above a list that says what of it is shown: a search and filters, and at its end how many that are. */
export function Filters({ children, count }: { children: ReactNode; count?: ReactNode }) {
  return (
    <div className={s.filters}>
      {children}
      <span className={s.count} role="status">
        {count}
      </span>
    </div>
  );
}

/** Searches a list. */
export function SearchField({
  placeholder,
  value,
  onChange,
}: {
  /** What it is searched by. */
  placeholder: string;
  value: string;
  onChange: (value: string) => void;
}) {
  return (
    <div className={s.search}>
      <TextField
        label="Search"
        bare
        type="search"
        placeholder={placeholder}
        maxLength={64}
        dir="auto"
        value={value}
        onChange={(e) => onChange(e.target.value)}
      />
    </div>
  );
}
