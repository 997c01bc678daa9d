import { useQuery } from '@tanstack/react-query';
import { Activity, Waypoints } from 'lucide-react';
import { credentialsOf, relayedBy } from '@/api/reads';
import type { Twin } from '@/api/types';
import { ButtonLink } from '@/parts/Button';
import { plural } from '@/parts/format';
import { twinHref } from '@/parts/links';
import { Empty, Skeleton } from '@/parts/States';
import { TextLink } from '@/parts/TextLink';

/** In place of values where a device has reported none: who speaks for it, or for whom it speaks and so may never report any itself. */
export function Silent({ twin }: { twin: Twin }) {
  const relayed = useQuery(relayedBy(twin.id));
  const credentials = useQuery(credentialsOf(twin.id));
  if (relayed.isPending || credentials.isPending) return <Skeleton lines={6} />;
  const devices = relayed.data?.items.length ?? 0;
  const by = credentials.data?.items.find((c) => c.state !== 'ended' && c.viaTwin);
  if (devices > 0) {
    const many = plural(devices, 'device');
    return (
      <Empty
        icon={<Waypoints aria-hidden />}
        title={`Speaks for ${relayed.data?.next ? `more than ${many}` : many}`}
        action={<ButtonLink href={`${twinHref(twin.id)}?tab=access`}>Which those are</ButtonLink>}
      >
        What they send stands on their own pages. It has reported nothing of itself.
      </Empty>
    );
  }
  return (
    <Empty icon={<Activity aria-hidden />} title="Nothing reported yet">
      {by?.viaTwin ? (
        <>
          Spoken for by <TextLink href={twinHref(by.viaTwin)}>{by.viaTwin}</TextLink>, which calls it{' '}
          <bdi>{by.name}</bdi>: charts and values appear here by themselves as soon as that one passes on its first
          reading. What it sent before it was brought in{' '}
          <TextLink href={`${twinHref(twin.id)}?tab=parked`}>can be adopted</TextLink>.
        </>
      ) : (
        'Charts and values appear here by themselves as soon as the device sends its first reading.'
      )}
    </Empty>
  );
}
