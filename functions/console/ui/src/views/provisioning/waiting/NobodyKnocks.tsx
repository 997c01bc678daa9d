import { Radar } from 'lucide-react';
import type { Waiting } from '@/api/types';
import { Empty } from '@/parts/States';

/** Why nothing is in the list, and how a device comes into it. */
export function NobodyKnocks({ state, filtered }: { state: Waiting['state']; filtered: boolean }) {
  if (filtered) return <Empty title="None like that">Take a filter away to see the others.</Empty>;
  if (state === 'banned')
    return <Empty title="Nobody is banned">A banned device is refused by its key, whatever serial it says.</Empty>;
  if (state === 'admitted')
    return (
      <Empty title="Nobody admitted">An admitted device stands here until it has knocked again and come in.</Empty>
    );
  return (
    <Empty icon={<Radar aria-hidden />} title="Nobody knocks">
      A device that has no claim knocks at the provisioning gateway: over MQTT it connects without user name and
      publishes its serial and key to <code>castor/provision/knock</code>; over HTTP it posts them to{' '}
      <code>/v1/knock</code>. It then waits here until it is admitted or banned.
    </Empty>
  );
}
