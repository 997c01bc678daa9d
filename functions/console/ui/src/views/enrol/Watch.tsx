import { useQuery } from '@tanstack/react-query';
import { api, ok } from '@/api/client';
import { keys } from '@/api/queries';
import { ButtonLink } from '@/parts/Button';
import { given } from '@/parts/claim/given';
import { Serials } from '@/parts/claim/Serials';
import { Empty, Failure, Skeleton } from '@/parts/States';
import { addressOf } from './address';
import { ComingIn } from './ComingIn';
import { HandedOver, HandOver, UsedUp } from './HandOver';
import s from './Watch.module.css';

/** The hand-over of a claim beside what comes of it. */
export function Watch({ id }: { id: string }) {
  const claim = useQuery({
    queryKey: keys.claims({ id }),
    queryFn: ({ signal }) => ok(api.GET('/function/credentials/claims/{id}', { params: { path: { id } }, signal })),
  });
  if (claim.isPending) return <Skeleton lines={6} />;
  if (claim.isError)
    return 'status' in claim.error && claim.error.status === 404 ? (
      <Empty
        title="There is no such claim"
        action={<ButtonLink href={addressOf({ step: 'type' })}>Make a claim</ButtonLink>}
      >
        It may be another group’s, or the address may be mistyped.
      </Empty>
    ) : (
      <Failure error={claim.error} retry={() => claim.refetch()} what="The claim could not be read" />
    );
  const g = given.get(id);
  return (
    <div className={s.watch}>
      <ComingIn claim={claim.data} />
      <div className={s.claim}>
        {claim.data.used >= claim.data.maxUses ? (
          <UsedUp claim={claim.data} />
        ) : g && !claim.data.revoked ? (
          <HandOver given={g} />
        ) : (
          <HandedOver claim={claim.data} />
        )}
        {!!claim.data.listed && <Serials claim={claim.data} />}
      </div>
    </div>
  );
}
