import { useState } from 'react';
import type { Claim } from '@/api/types';
import { Card } from '@/parts/Card';
import { count } from '@/parts/format';
import { Failure } from '@/parts/States';
import { Time, useNow } from '@/parts/Time';
import s from './ComingIn.module.css';
import { ForWhich } from './HandOver';
import { Refusal } from './Refusal';
import { RunProgress } from './RunProgress';
import { useRejectionsOf, useRunsOf } from './useRunsOf';
import w from './Watch.module.css';

/** What comes of a claim, as it happens: the wait, each device's steps, and who was turned away. */
export function ComingIn({ claim }: { claim: Claim }) {
  const { ids, error } = useRunsOf(claim);
  const rejections = useRejectionsOf(claim);
  const [mine, setMine] = useState<Record<string, boolean>>({});
  const seen = ids.filter((id) => mine[id]).length;
  const rest = claim.maxUses - claim.used;
  return (
    <div className={w.column} aria-live="polite">
      {ids.map((id) => (
        <RunProgress key={id} id={id} claim={claim} onMine={() => setMine((m) => (m[id] ? m : { ...m, [id]: true }))} />
      ))}
      {(seen === 0 || rest > 0) && <Waiting claim={claim} seen={seen} />}
      {rejections.map((r) => (
        <Refusal
          key={r.id}
          title={
            <>
              <bdi>{r.request.serial || 'A device'}</bdi> was turned away
            </>
          }
          at={r.at}
          reason={r.reason}
          serial={r.request.serial}
          type={claim.type}
        />
      ))}
      {!!error && <Failure error={error} what="What comes in could not be read" />}
    </div>
  );
}

function Waiting({ claim, seen }: { claim: Claim; seen: number }) {
  const now = useNow();
  const over = claim.revoked || Date.parse(claim.expires) <= now;
  const usedUp = claim.used >= claim.maxUses;
  if (over || usedUp)
    return (
      <Card title={claim.revoked ? 'The claim was revoked' : over ? 'The claim has expired' : 'The claim is used up'}>
        <p className={s.note}>Nothing comes in with it any more.</p>
      </Card>
    );
  return (
    <Card>
      <div className={s.waiting}>
        <span className={s.pulse} aria-hidden />
        <div>
          <h2>{seen > 0 ? 'Waiting for more…' : 'Waiting for it…'}</h2>
          <p className={s.note}>
            <ForWhich claim={claim} />
            {claim.maxUses > 1 && <>; {count(claim.used)} came in</>}. The steps appear here as the device takes them;
            you may leave, and come back to this address.
          </p>
          <p className={s.note}>
            The claim ends <Time at={claim.expires} />.
          </p>
        </div>
      </div>
    </Card>
  );
}
