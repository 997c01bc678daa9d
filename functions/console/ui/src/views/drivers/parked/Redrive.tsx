import { useQuery, useQueryClient } from '@tanstack/react-query';
import { RefreshCw } from 'lucide-react';
import { useEffect } from 'react';
import { drivers } from '@/api/drivers';
import { keys } from '@/api/queries';
import type { Redrive as Job, NewRedrive } from '@/api/types';
import { Badge, type Tone } from '@/parts/Badge';
import { Button } from '@/parts/Button';
import { count } from '@/parts/format';
import { Failure } from '@/parts/States';
import { toast } from '@/parts/toast';
import { useAction } from '@/parts/useAction';
import { useParam } from '@/parts/useParam';
import s from './Parked.module.css';

const every = 1_000; // ms between looks at one that is under way

const over = (j: Job) => j.state === 'done' || j.state === 'failed' || j.state === 'cancelled';

const tones: Record<Job['state'], Tone> = {
  queued: 'info',
  running: 'accent',
  done: 'ok',
  failed: 'critical',
  cancelled: 'warning',
};

/** Has parked messages read again, and tells how far that is. The one that is looked at is part of the address. */
export function Redrive({ of, any }: { of: NewRedrive; any: boolean }) {
  const queries = useQueryClient();
  const [id, setId] = useParam('redrive');
  const { busy, refused, run } = useAction();
  const query = useQuery({
    queryKey: keys.redrive(id),
    queryFn: ({ signal }) => drivers.redriven(id, signal),
    enabled: id !== '',
    refetchInterval: (q) => (q.state.data && over(q.state.data) ? false : every),
  });
  const job = query.data;
  const ended = !!job && over(job);
  // What was read is parked no more, and is part of its twin.
  useEffect(() => {
    if (!ended) return;
    void queries.invalidateQueries({ queryKey: ['parked'] });
    void queries.invalidateQueries({ queryKey: ['twin'] });
    void queries.invalidateQueries({ queryKey: ['history'] });
  }, [ended, queries]);
  const begin = () =>
    run(async () => {
      const begun = await drivers.redrive(of);
      queries.setQueryData(keys.redrive(begun.id), begun);
      setId(begun.id);
    });
  const cancel = () =>
    run(async () => {
      await drivers.cancelRedrive(id);
      await queries.invalidateQueries({ queryKey: keys.redrive(id) });
      toast.done('Cancelled: what was read until now stays read');
    });
  return (
    <div className={s.redrive}>
      {query.isError && !job ? (
        <Failure error={query.error} what="How far it is could not be read" retry={() => void query.refetch()} />
      ) : (
        job && <Progress job={job} />
      )}
      <div className={s.deed}>
        {job && !ended ? (
          <Button size="s" busy={busy} onClick={() => void cancel()}>
            Cancel
          </Button>
        ) : (
          any && (
            <Button size="s" icon={<RefreshCw aria-hidden />} busy={busy} onClick={() => void begin()}>
              Redrive
            </Button>
          )
        )}
        {any && !job && (
          <p>
            Reads them with the version that is for each device now. What can be read becomes history; the rest stays.
          </p>
        )}
        <p role="alert" className={s.refused}>
          {refused}
        </p>
      </div>
    </div>
  );
}

function Progress({ job: j }: { job: Job }) {
  const gone = j.gone ?? 0;
  const seen = j.stored + j.left + gone;
  return (
    <div className={s.progress} role="status">
      <p>
        <Badge tone={tones[j.state] ?? 'neutral'} dot>
          {j.state}
        </Badge>{' '}
        {seen === 0 && over(j) ? (
          'nothing was parked'
        ) : (
          <>
            <b>{count(j.stored)}</b> read, {count(j.left)} stay parked
            {gone > 0 && `, ${count(gone)} were gone meanwhile`}
          </>
        )}
      </p>
      {!over(j) && <progress aria-label="Messages are being read again" />}
      {j.reason && (
        <p className={s.why} dir="auto">
          {j.reason}
        </p>
      )}
    </div>
  );
}
