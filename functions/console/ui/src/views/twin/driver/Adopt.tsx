import { useQueryClient } from '@tanstack/react-query';
import { Inbox } from 'lucide-react';
import { useState } from 'react';
import { drivers } from '@/api/drivers';
import type { Twin } from '@/api/types';
import { Button } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { count, plural } from '@/parts/format';
import { useMayWrite } from '@/parts/may';
import { Refused } from '@/parts/Refused';
import { useAction } from '@/parts/useAction';
import { has, useUser } from '@/parts/useUser';
import s from './Adopt.module.css';

/** How much became the twin's, and how much stays of no twin. */
interface Outcome {
  adopted: number;
  left: number;
}

/** Makes messages the twin's that its device sent before it had the twin. Which there are is known only once it was tried. */
export function Adopt({ twin }: { twin: Twin }) {
  const queries = useQueryClient();
  const { busy, refused, faults, run } = useAction();
  const [outcome, setOutcome] = useState<Outcome>();
  const may = has(useUser(), 'maintainer', 'configurator', 'owner', 'developer');
  const writes = useMayWrite(twin.id, twin.definition.owner);
  if (!may || !writes || twin.definition.phase === 'retired') return null;
  const adopt = () =>
    run(async () => {
      const all: Outcome = { adopted: 0, left: 0 };
      try {
        await adoptAll((cursor) => drivers.adopt(twin.id, cursor), all);
      } finally {
        setOutcome(all);
        if (all.adopted > 0) {
          void queries.invalidateQueries({ queryKey: ['parked'] });
          void queries.invalidateQueries({ queryKey: ['twin'] });
        }
      }
    });
  return (
    <Card title="From before it had its twin">
      <div className={s.adopt}>
        <p>
          What a device sends before it was brought in belongs to no twin, and is kept for a while. Adopted, it is
          parked here, and a redrive reads it.
        </p>
        <Button size="s" icon={<Inbox aria-hidden />} busy={busy} onClick={() => void adopt()}>
          Adopt its messages
        </Button>
        <p role="status" className={s.outcome}>
          {outcome && !busy && (!refused || outcome.adopted > 0) && outcomeWords(outcome)}
        </p>
        <Refused reason={refused} faults={faults} />
      </div>
    </Card>
  );
}

/** Adopts page by page; `all` has what was done also if one of them fails. */
export async function adoptAll(page: (cursor: string) => Promise<Outcome & { next?: string }>, all: Outcome) {
  let cursor = '';
  do {
    const did = await page(cursor);
    all.adopted += did.adopted;
    all.left += did.left;
    cursor = did.next ?? '';
  } while (cursor);
}

/** What came of adopting, for people. */
export function outcomeWords({ adopted, left }: Outcome): string {
  const rest = left
    ? `${count(left)} of its device’s stay of no twin: they cannot be read, or came by a gateway where it has no place.`
    : '';
  if (adopted) return `${plural(adopted, 'message')} adopted: redrive reads what can be. ${rest}`.trim();
  return rest ? `None adopted. ${rest}` : 'There is none: its device is not known to have sent anything before.';
}
