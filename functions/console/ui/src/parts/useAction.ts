import { useCallback, useState } from 'react';
import { type Fault, faultsOf, reasonOf } from '@/api/problem';

interface Action {
  busy: boolean;
  refused: string;
  /** All that was wrong, where that is more than one thing. */
  faults: readonly Fault[];
  /** Forgets what was refused. */
  clear: () => void;
  run: (work: () => Promise<unknown>) => Promise<void>;
}

/** Something that is done at a click: whether it is under way, and why it was refused; '' if it was not. */
export function useAction(): Action {
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState('');
  const [faults, setFaults] = useState<readonly Fault[]>([]);
  const clear = useCallback(() => {
    setRefused('');
    setFaults([]);
  }, []);
  const run = useCallback(async (work: () => Promise<unknown>) => {
    setBusy(true);
    setRefused('');
    setFaults([]);
    try {
      await work();
    } catch (e) {
      setRefused(reasonOf(e));
      setFaults(faultsOf(e));
    } finally {
      setBusy(false);
    }
  }, []);
  return { busy, refused, faults, clear, run };
}
