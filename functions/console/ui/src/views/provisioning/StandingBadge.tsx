import type { Run } from '@/api/types';
import { Badge, type Tone } from '@/parts/Badge';
import { twinIsGone } from '@/parts/run/progress';

const tones: Record<string, Tone> = { completed: 'ok', rejected: 'critical' };

/** Whether a run goes on, waits, or how it has ended; shorter in lists, which have no steps. */
export function StandingBadge({ run: r }: { run: Run }) {
  if (twinIsGone(r)) return <Badge dot>{r.steps.length > 0 ? 'completed, twin gone' : 'twin gone'}</Badge>;
  const word =
    r.outcome ?? (r.withdrawing ? 'withdrawing' : r.asks ? 'waits for people' : r.waiting ? 'waiting' : 'under way');
  return (
    <Badge tone={r.outcome ? tones[r.outcome] : r.asks ? 'warning' : 'accent'} dot>
      {word}
    </Badge>
  );
}
