import type { DriverVersion } from '@/api/types';
import { Badge } from '@/parts/Badge';
import { Tooltip } from '@/parts/Tooltip';
import { driverStateWords } from '@/parts/words';
import { canaryWords, toneOfState } from './drivers';

/** What a version is used for; of a canary, by whom. */
export function StateBadge({ version: v }: { version: DriverVersion }) {
  return (
    <Tooltip text={driverStateWords(v.state)}>
      <span>
        <Badge tone={toneOfState[v.state] ?? 'neutral'} dot>
          {v.state === 'canary' ? `canary ${canaryWords(v)}` : v.state}
        </Badge>
      </span>
    </Tooltip>
  );
}
