import { useCallback, useState } from 'react';
import { reasonOf } from '@/api/problem';

/** Something that is done at a click: whether it is under way, and why it was refused; '' if it was not. */
export function useAction(): { busy: boolean; refused: string; run: (work: () => Promise<unknown>) => Promise<void> } {
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState('');
  const run = useCallback(async (work: () => Promise<unknown>) => {
    setBusy(true);
    setRefused('');
    try {
      await work();
    } catch (e) {
      setRefused(reasonOf(e));
    } finally {
      setBusy(false);
    }
  }, []);
  return { busy, refused, run };
}
