import type { DriverVersion } from '@/api/types';
import { plural } from '@/parts/format';
import { twinHref } from '@/parts/links';
import { TextLink } from '@/parts/TextLink';
import { thrown, trialIsOver } from './drivers';
import { StateBadge } from './StateBadge';
import s from './Versions.module.css';

/** How a version stands: its state, why, and whose messages it does not get. */
export function Standing({
  version: v,
  still,
}: {
  version: DriverVersion;
  /** It is in quarantine and for some devices all the same. */
  still: boolean;
}) {
  const blocked = v.blocked ?? [];
  // What it goes on with, in spite of it; else the reason is why it is as it is.
  const passing = (v.state === 'active' || v.state === 'canary') && blocked.length === 0;
  const troubled = v.state !== 'active' || !!v.failures || blocked.length > 0;
  return (
    <>
      <StateBadge version={v} />
      {v.reason && troubled && (
        <span className={s.note} dir="auto" title={v.reason}>
          {passing && 'Last failure: '}
          {thrown(v.reason)}
        </span>
      )}
      {v.state === 'quarantined' && !still && (
        <span className={s.note}>
          {trialIsOver(v)
            ? 'Its trial is over: its devices are read as the others are.'
            : 'No device waits for it: a newer version is for its firmware.'}
        </span>
      )}
      {blocked.length > 0 && (
        <details className={s.blocked}>
          <summary>{plural(blocked.length, 'twin')} blocked</summary>
          <p>
            It fails gravely with their messages alone, so these are parked. To unblock them, promote this version
            again, or publish a newer one and promote that.
          </p>
          <ul aria-label="Blocked twins">
            {blocked.map((id) => (
              <li key={id}>
                <TextLink href={twinHref(id)}>{id}</TextLink>
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}
