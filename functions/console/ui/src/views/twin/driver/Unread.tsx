import { useQuery } from '@tanstack/react-query';
import { ApiError } from '@/api/client';
import type { Twin } from '@/api/types';
import { Banner } from '@/parts/Banner';
import { Button } from '@/parts/Button';
import { driverHref } from '@/parts/links';
import { TextLink } from '@/parts/TextLink';
import { deaf, oneDriver, unreadBy, type Unread as Why } from '@/views/drivers/drivers';

/** Says beforehand that what a type's devices send will be parked, or that its driver cannot react, and what to do about it. */
export function Unread({ type, onChoose }: { type: Twin; onChoose?: () => void }) {
  const name = type.definition.model?.driver ?? '';
  const query = useQuery(oneDriver(name));
  const gone = query.error instanceof ApiError && (query.error.status === 404 || query.error.status === 400);
  const why: Why | undefined = gone
    ? { why: 'there is no such driver, or not one that you may see.', remedy: 'Publish it, or choose another.' }
    : query.data && unreadBy(query.data, type.definition.owner);
  const silent = type.definition.model?.reacts && query.data && deaf(query.data);
  if (!why && !silent) return null;
  const choose = onChoose && (
    <Button size="s" onClick={onChoose}>
      Choose another…
    </Button>
  );
  if (!why)
    return (
      <Banner label="The driver does not react" action={choose}>
        <b>Its driver is to react, and cannot.</b> Driver <TextLink href={driverHref(name)}>{name}</TextLink>: {silent}{' '}
        Publish one with on_event, or let it not react.
      </Banner>
    );
  return (
    <Banner label="The driver reads nothing" action={choose}>
      <b>
        {why.some
          ? 'What devices send that do not use the canary is parked.'
          : 'What devices of this type send is parked.'}
      </b>{' '}
      Driver {gone ? <bdi>{name}</bdi> : <TextLink href={driverHref(name)}>{name}</TextLink>}: {why.why} {why.remedy}{' '}
      What is parked until then is read by a redrive.
    </Banner>
  );
}
