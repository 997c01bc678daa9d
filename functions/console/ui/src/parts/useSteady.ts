import { useLayoutEffect, useRef } from 'react';

/** Keeps the rows in sight where they are when some come or go above them. */
export function useSteady<T>(
  from: number,
  top: number,
  height: number,
  at: (row: number) => T | undefined,
  keyOf: (row: T) => string,
) {
  const kept = useRef<{ index: number; key: string }>(undefined);
  useLayoutEffect(() => {
    const before = kept.current;
    const row = at(from);
    kept.current = row && { index: from, key: keyOf(row) };
    // At the top of the table what is new is to be seen; further down nothing may move.
    if (!before || before.index !== from || !row || keyOf(row) === before.key || window.scrollY <= top) return;
    for (let d = 1; d <= 50; d++) {
      for (const i of [from + d, from - d]) {
        const other = i >= 0 ? at(i) : undefined;
        if (!other || keyOf(other) !== before.key) continue;
        window.scrollBy({ top: (i - from) * height, behavior: 'instant' });
        kept.current = { index: i, key: before.key };
        return;
      }
    }
  });
}
