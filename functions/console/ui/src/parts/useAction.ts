import { useCallback, useState } from 'react';
import { errorsOf, reasonOf } from '@/api/problem';

interface Action {
  busy: boolean;
  refused: string;
  /** All that was wrong, where that is more than one thing. */
  errors: readonly string[];
  run: (work: () => Promise<unknown>) => Promise<void>;
}

/** Something that is done at a click: whether it is under way, and why it was refused; '' if it was not. */
export function useAction(): Action {
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState('');
  const [errors, setErrors] = useState<readonly string[]>([]);
  const run = useCallback(async (work: () => Promise<unknown>) => {
    setBusy(true);
    setRefused('');
    setErrors([]);
    try {
      await work();
    } catch (e) {
      setRefused(reasonOf(e));
      setErrors(errorsOf(e));
    } finally {
      setBusy(false);
    }
  }, []);
  return { busy, refused, errors, run };
}
