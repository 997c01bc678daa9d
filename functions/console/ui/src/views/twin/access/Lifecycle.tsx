import { useState } from 'react';
import type { Twin } from '@/api/types';
import { Button } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { mayNotWrite, useMayWrite } from '@/parts/may';
import { has, useUser } from '@/parts/useUser';
import s from './Access.module.css';
import { Decommission } from './Decommission';
import { Replace } from './Replace';
import { Suspend } from './Suspend';

type Deed = 'suspend' | 'replace' | 'decommission';

/** What people do with a device's access: keep it out for a while, give its twin to another device, end it. */
export function Lifecycle({ twin }: { twin: Twin }) {
  const [open, setOpen] = useState<Deed>();
  const role = has(useUser(), 'maintainer', 'configurator', 'owner');
  const may = useMayWrite(twin.id, twin.definition.owner) && role;
  const { phase } = twin.definition;
  const suspended = !!twin.definition.suspended || phase === 'suspended';
  const close = () => setOpen(undefined);
  return (
    <Card title="Its life" note={may ? undefined : mayNotWrite} flush>
      <div className={s.deed}>
        <div>
          <h3>{suspended ? 'Resume' : 'Suspend'}</h3>
          <p>
            {suspended
              ? 'Lets the device in again, with the place and credential that it has.'
              : 'Keeps the device out: it is cut off within a second. Its place and its credential stay.'}
          </p>
        </div>
        <Button disabled={!may || phase === 'retired'} onClick={() => setOpen('suspend')}>
          {suspended ? 'Resume…' : 'Suspend…'}
        </Button>
      </div>
      <div className={s.deed}>
        <div>
          <h3>Replace the device</h3>
          <p>
            A new device takes the twin over: history and configuration stay, the serial changes, the old device is
            refused.
          </p>
        </div>
        <Button disabled={!may} onClick={() => setOpen('replace')}>
          Replace…
        </Button>
      </div>
      <div className={s.deed}>
        <div>
          <h3>Decommission</h3>
          <p>
            Takes the device’s access away everywhere, then archives or erases its data, and deletes its twin. The proof
            of what ended when is kept.
          </p>
        </div>
        <Button kind="danger" disabled={!may} onClick={() => setOpen('decommission')}>
          Decommission…
        </Button>
      </div>
      {open === 'suspend' && <Suspend twin={twin} onClose={close} />}
      {open === 'replace' && <Replace twin={twin} onClose={close} />}
      {open === 'decommission' && <Decommission twin={twin} onClose={close} />}
    </Card>
  );
}
