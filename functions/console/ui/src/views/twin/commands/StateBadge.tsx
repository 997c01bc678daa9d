import type { Command } from '@/api/types';
import { Badge, type Tone } from '@/parts/Badge';

const looks: Record<Command['state'], [Tone, string]> = {
  queued: ['info', 'queued'],
  delivering: ['info', 'delivering'],
  sent: ['info', 'sent, no answer yet'],
  succeeded: ['ok', 'succeeded'],
  failed: ['critical', 'failed'],
  timedOut: ['warning', 'timed out'],
  unknown: ['warning', 'unknown whether done'],
  cancelled: ['neutral', 'cancelled'],
};

/** Where a command is. */
export function StateBadge({ command }: { command: Command }) {
  const [tone, word] = looks[command.state] ?? ['neutral', command.state];
  return (
    <Badge tone={tone} dot>
      {word}
      {command.late && ', late'}
    </Badge>
  );
}
