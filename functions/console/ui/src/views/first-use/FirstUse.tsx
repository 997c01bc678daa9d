import { useQueryClient } from '@tanstack/react-query';
import { Cpu, Plus } from 'lucide-react';
import { Link, useLocation } from 'wouter';
import { Button, ButtonLink } from '@/parts/Button';
import { CodeBlock } from '@/parts/Copy';
import { useAction } from '@/parts/useAction';
import { has, useUser } from '@/parts/useUser';
import { addressOf } from '@/views/enrol/address';
import { enrolFirst } from '@/views/enrol/starter';
import s from './FirstUse.module.css';

/** What there is to see while there is no device: what will happen, and one button that begins it. */
export default function FirstUse() {
  const user = useUser();
  const mayAll = has(user, 'maintainer', 'configurator');
  if (!has(user, 'maintainer', 'configurator', 'owner')) return <Nothing />;
  return (
    <section className={s.first} aria-labelledby="first-use">
      <div className={s.mark}>
        <Cpu aria-hidden />
      </div>
      <h2 id="first-use">Bring in your first device</h2>
      <p className={s.what}>
        A device comes in with a claim: a small file that lets it ask. The platform checks it, makes its twin, signs its
        certificate and chooses its gateway, and you watch each step here. From then on its readings, alarms and
        commands are in this console.
      </p>
      {mayAll ? <OneClick /> : <ByType />}
      {mayAll && (
        <details className={s.other}>
          <summary>Many devices, or types of your own</summary>
          <div className={s.commands}>
            <p>Types from a file, and the serials of their devices from CSV or NDJSON:</p>
            <CodeBlock
              label="import commands"
              code={'castor type apply -f types.yaml\ncastor identity import -f devices.csv'}
            />
            <p>A claim for a whole batch, and a type by one command:</p>
            <CodeBlock
              label="claim commands"
              code={
                "castor type create pump --name Pump --property rpm --property temperature=Cel\ncastor claim create pump --owner operators --serials 'P-*' --uses 100 --file claim.json"
              }
            />
          </div>
        </details>
      )}
    </section>
  );
}

/** Makes everything that is needed and goes to the hand-over. */
function OneClick() {
  const user = useUser();
  const queries = useQueryClient();
  const [, navigate] = useLocation();
  const { busy, refused, run } = useAction();
  const begin = () =>
    run(async () => {
      if (!user) return;
      const g = await enrolFirst(user);
      void queries.invalidateQueries();
      navigate(addressOf({ step: 'watch', claim: g.file.claim.id }));
    });
  return (
    <>
      <div className={s.actions}>
        <Button kind="primary" icon={<Plus aria-hidden />} busy={busy} onClick={begin}>
          Enrol a computer now
        </Button>
        <Link href={addressOf({ step: 'type' })} className={s.link}>
          Choose or make a type
        </Link>
      </div>
      <p className={s.error} role="alert">
        {refused}
      </p>
      <p className={s.note}>
        It makes a type for computers if there is none, and a claim for one device. You get one command to paste on any
        Linux machine.
      </p>
    </>
  );
}

/** An owner may make serials known and claims, but not types. */
function ByType() {
  return (
    <>
      <div className={s.actions}>
        <ButtonLink kind="primary" href={addressOf({ step: 'type' })}>
          Enrol a device
        </ButtonLink>
      </div>
      <p className={s.note}>
        You choose its type and say its serial. If its type is not there, a configurator makes it.
      </p>
    </>
  );
}

function Nothing() {
  return (
    <section className={s.first} aria-labelledby="first-use">
      <div className={s.mark}>
        <Cpu aria-hidden />
      </div>
      <h2 id="first-use">There is no device that you may see</h2>
      <p className={s.what}>
        Devices appear here as soon as one is yours to see. An owner can grant you the right to read devices of the own
        group, and a maintainer can put you into a group. Devices are enrolled by owners, configurators and maintainers.
      </p>
    </section>
  );
}
