import { useCallback, useState } from 'react';

/** What a person chose for this browser: columns, ranges. A store that is full or forbidden loses it, nothing else. */
export function useStored<T>(key: string, or: T): [T, (value: T) => void] {
  const name = `castor.${key}`;
  const [value, setValue] = useState<T>(() => {
    try {
      const kept = localStorage.getItem(name);
      return kept === null ? or : (JSON.parse(kept) as T);
    } catch {
      return or;
    }
  });
  const set = useCallback(
    (v: T) => {
      setValue(v);
      try {
        localStorage.setItem(name, JSON.stringify(v));
      } catch {
        // not kept
      }
    },
    [name],
  );
  return [value, set];
}
