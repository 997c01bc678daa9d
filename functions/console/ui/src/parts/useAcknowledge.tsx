import { useQueryClient } from '@tanstack/react-query';
import { useCallback } from 'react';
import { reasonOf } from '@/api/problem';
import { session } from '@/api/session';
import type { Alarm } from '@/api/types';
import { change, type Outcome } from './acknowledge';
import { toast } from './toast';

const many = (n: number) => (n === 1 ? 'the alarm' : `${n} alarms`);

/** Takes alarms on or lets them go; says what came of it, with undo. */
export function useAcknowledge() {
  const queries = useQueryClient();
  const letGo = useCallback(
    async (ids: string[]) => refused(await change(queries, ids, { take: false }), 'Not let go'),
    [queries],
  );
  const take = useCallback(
    async (ids: string[], note = '') => {
      const by = `user:${session.get()?.user.id ?? ''}`;
      const out = await change(queries, ids, { take: true, by, note });
      refused(out, 'Not taken on');
      if (out.done.length > 0)
        toast.done(`You have taken on ${many(out.done.length)}`, () => void letGo(out.done.map((a) => a.id)));
    },
    [queries, letGo],
  );
  return { take, letGo };
}

function refused(out: Outcome, what: string): void {
  if (out.failed === 0) return;
  // "user:ben has taken the alarm on already": people are called by their names.
  const why = reasonOf(out.error).replace(/\buser:/gi, '');
  toast.failed(out.failed > 1 ? `${what} (${out.failed} alarms)` : what, why);
}

/** Whether the reader has taken this alarm on. */
export const isMine = (a: Alarm) =>
  a.state === 'acknowledged' && a.acknowledgedBy === `user:${session.get()?.user.id ?? ''}`;
