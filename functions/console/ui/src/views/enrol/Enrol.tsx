import { useLocation, useSearchParams } from 'wouter';
import { Page } from '@/parts/Page';
import { Empty } from '@/parts/States';
import { has, useUser } from '@/parts/useUser';
import { addressOf, type Place, placeOf } from './address';
import { ChooseType } from './ChooseType';
import { ForWhom } from './ForWhom';
import { NewType } from './NewType';
import { OpenClaims } from './OpenClaims';
import { Steps } from './Steps';
import { Watch } from './Watch';

/** Brings a device in: its type, for whom and how, the hand-over, and watching it come. */
export default function Enrol() {
  const user = useUser();
  const [params] = useSearchParams();
  const [, navigate] = useLocation();
  const place = placeOf(params);
  const go = (p: Place) => {
    navigate(addressOf(p));
    window.scrollTo(0, 0);
  };

  if (!has(user, 'maintainer', 'configurator', 'owner') && place.step !== 'watch')
    return (
      <Page title="Enrol a device">
        <Empty title="Your role does not enrol devices">
          Owners enrol devices for their groups, configurators and maintainers for any. Ask one of them, or ask a
          maintainer to give you the role.
        </Empty>
      </Page>
    );
  return (
    <Page title="Enrol a device">
      <Steps place={place} />
      {place.step === 'type' && (
        <>
          <ChooseType />
          <OpenClaims />
        </>
      )}
      {place.step === 'new-type' && <NewType go={go} />}
      {place.step === 'device' && <ForWhom key={place.type} type={place.type} go={go} />}
      {place.step === 'watch' && <Watch key={place.claim} id={place.claim} />}
    </Page>
  );
}
