import { useEffect, useState } from 'react';

/** What was typed, when the typing rests: so that not every letter is searched for. */
export function useRested(typed: string, ms = 120): string {
  const [rested, setRested] = useState(typed.trim());
  useEffect(() => {
    const t = setTimeout(() => setRested(typed.trim()), ms);
    return () => clearTimeout(t);
  }, [typed, ms]);
  return rested;
}
