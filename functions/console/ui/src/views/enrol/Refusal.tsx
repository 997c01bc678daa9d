import { TriangleAlert } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { Button } from '@/parts/Button';
import { Time } from '@/parts/Time';
import { toast } from '@/parts/toast';
import { has, useUser } from '@/parts/useUser';
import s from './ComingIn.module.css';
import { makeIdentity } from './make';
import { remedyOf } from './remedy';

/** A device that was turned away: why, and what helps. */
export function Refusal({
  title,
  at,
  reason,
  serial,
  type,
}: {
  title: ReactNode;
  at: string;
  reason: string;
  serial: string;
  type: string;
}) {
  const remedy = remedyOf(reason);
  const may = has(useUser(), 'maintainer', 'configurator');
  const [busy, setBusy] = useState(false);
  const [known, setKnown] = useState(false);
  const make = async () => {
    setBusy(true);
    try {
      await makeIdentity(serial, type);
      setKnown(true);
      toast.done(`${serial} is known now`);
    } catch (e) {
      toast.failed('Not made known', e);
    } finally {
      setBusy(false);
    }
  };
  return (
    <section className={s.refusal}>
      <TriangleAlert aria-hidden />
      <div>
        <h2>
          {title} <small>{<Time at={at} />}</small>
        </h2>
        <p dir="auto" className={s.reason}>
          {reason}
        </p>
        <p className={s.note}>
          {known ? 'Its serial is known now. Start the same command on the device once more.' : remedy.text}
        </p>
        {remedy.makeKnown && !known && may && (
          <Button size="s" busy={busy} onClick={make}>
            Make the serial known
          </Button>
        )}
      </div>
    </section>
  );
}
