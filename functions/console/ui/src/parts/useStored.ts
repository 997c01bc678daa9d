import { useCallback, useState } from 'react';
import { storage } from '@/api/storage';

/** What a person chose for this browser: columns, ranges. Whatever else lies there, from another version or by hand, counts as nothing: `is` tells. */
export function useStored<T>(key: string, or: T, is: (v: unknown) => v is T): [T, (value: T) => void] {
  const name = `castor.${key}`;
  const [value, setValue] = useState<T>(() => {
    try {
      const kept: unknown = JSON.parse(storage.get(name) ?? 'null');
      return is(kept) ? kept : or;
    } catch {
      return or;
    }
  });
  const set = useCallback(
    (v: T) => {
      setValue(v);
      storage.set(name, JSON.stringify(v));
    },
    [name],
  );
  return [value, set];
}

export const isText = (v: unknown): v is string => typeof v === 'string';
export const areTexts = (v: unknown): v is readonly string[] => Array.isArray(v) && v.every(isText);
