import { useCallback } from 'react';
import { useSearchParams } from 'wouter';

/** A part of the address, so that what is seen can be shared and the back button works. '' and the default leave it out. */
export function useParam(name: string, or = ''): [string, (value: string) => void] {
  const [params, setParams] = useSearchParams();
  const set = useCallback(
    (value: string) =>
      setParams(
        (old) => {
          const next = new URLSearchParams(old);
          if (value === '' || value === or) next.delete(name);
          else next.set(name, value);
          return next;
        },
        { replace: true },
      ),
    [name, or, setParams],
  );
  return [params.get(name) ?? or, set];
}
