import { type KeyboardEvent, useRef } from 'react';

/** Keys of a table whose rows have data-alarm and one button: arrows (or j and k) lead from row to row, x chooses, a takes on. */
export function useRowKeys({ choose, take }: { choose: (id: string) => void; take: (id: string) => void }) {
  const afterG = useRef(0); // g and a letter leads to a place; see app/useKeys
  return (e: KeyboardEvent<HTMLElement>) => {
    if (e.metaKey || e.ctrlKey || e.altKey) return;
    const row = (e.target as HTMLElement).closest<HTMLElement>('[data-alarm]');
    const id = row?.dataset.alarm;
    if (e.key === 'g') afterG.current = e.timeStamp;
    else if (e.key === 'ArrowDown' || e.key === 'j' || e.key === 'ArrowUp' || e.key === 'k') {
      const rows = [...e.currentTarget.querySelectorAll<HTMLElement>('[data-alarm]')];
      const by = e.key === 'ArrowDown' || e.key === 'j' ? 1 : -1;
      const next = row ? rows[rows.indexOf(row) + by] : rows[0];
      if (!next) return;
      e.preventDefault();
      next.querySelector('button')?.focus();
    } else if (id && e.key === 'x') choose(id);
    else if (id && e.key === 'a' && e.timeStamp - afterG.current > 1200) take(id);
  };
}
