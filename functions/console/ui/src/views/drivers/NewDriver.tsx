import { useState } from 'react';
import { Page } from '@/parts/Page';
import { Empty } from '@/parts/States';
import { has, useUser } from '@/parts/useUser';
import { Bench } from './bench/Bench';
import { examples } from './bench/draft';
import { firstInput } from './bench/input';

const first = { ...firstInput, bytes: '08 98 64' };

/** A driver that is not there yet: written or pasted, tried, and published. */
export default function NewDriver() {
  const user = useUser();
  const [begin] = useState(examples.javascript);
  const may = has(user, 'maintainer') || (has(user, 'configurator', 'developer') && !!user?.groups?.length);
  return (
    <Page
      title="New driver"
      up={{ href: '/drivers', label: 'Drivers' }}
      note="Write or paste it, try it on a message, add what comes out as tests, publish."
    >
      {may ? (
        <Bench begin={begin} may input={first} />
      ) : (
        <Empty title="Not yours to publish">
          Maintainers publish drivers, and configurators and developers for their group. Ask a maintainer to put you
          into one.
        </Empty>
      )}
    </Page>
  );
}
