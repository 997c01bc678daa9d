import type { Claim } from '@/api/types';
import { Badge } from '@/parts/Badge';
import { Button } from '@/parts/Button';
import { claimState, serialsOf } from '@/parts/claim/claim';
import { count } from '@/parts/format';
import { typeHref } from '@/parts/links';
import { RowName, RowNote } from '@/parts/RowName';
import { TextLink } from '@/parts/TextLink';
import { Time, useNow } from '@/parts/Time';
import { actor } from '@/parts/words';
import { addressOf } from '@/views/enrol/address';
import s from './Claims.module.css';

/** A claim of the list: whom it lets in, how often, until when. Its page is where what comes in with it is watched. */
export function ClaimRow({ claim: c, onRevoke }: { claim: Claim; onRevoke?: () => void }) {
  const state = claimState(c, useNow());
  return (
    <tr>
      <td className={s.which}>
        <span className={s.line}>
          <RowName href={addressOf({ step: 'watch', claim: c.id })}>{serialsOf(c)}</RowName>
          {c.temporary && <Badge tone="info">installer’s</Badge>}
          {c.batch && (
            <Badge>
              batch <bdi>{c.batch}</bdi>
            </Badge>
          )}
        </span>
        <RowNote title={c.note}>{c.note || c.id}</RowNote>
      </td>
      <td className={s.whose}>
        <TextLink href={typeHref(c.type)}>{c.type}</TextLink> for <bdi>{c.owner}</bdi>
      </td>
      <td className={s.state}>
        <Badge tone={state.tone} dot={state.id === 'open'}>
          {state.word}
        </Badge>
      </td>
      <td className={s.used}>
        {count(c.used)} of {count(c.maxUses)}
      </td>
      <td className={s.until}>
        <Time at={c.expires} />
      </td>
      <td className={s.by}>
        <bdi>{actor(c.by)}</bdi>
        <Time at={c.created} />
      </td>
      <td className={s.deed}>
        {onRevoke && state.id === 'open' && (
          <Button size="s" kind="danger" onClick={onRevoke}>
            Revoke<span className="visually-hidden"> {c.id}</span>
          </Button>
        )}
      </td>
    </tr>
  );
}
