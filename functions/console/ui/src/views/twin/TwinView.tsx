import { useQuery } from '@tanstack/react-query';
import { useParams } from 'wouter';
import { ApiError } from '@/api/client';
import { oneTwin } from '@/api/reads';
import type { Twin } from '@/api/types';
import { useLiveTwin } from '@/live/twins';
import { ButtonLink } from '@/parts/Button';
import { fleetHref, typeHref } from '@/parts/links';
import { Page } from '@/parts/Page';
import { Empty, Failure, Skeleton } from '@/parts/States';
import { type Tab, Tabs } from '@/parts/Tabs';
import { useParam } from '@/parts/useParam';
import { Proof } from './access/Proof';
import { Actions } from './head/Actions';
import { AlarmStrip } from './head/AlarmStrip';
import { Badges, Head } from './head/Head';
import { tabsOf } from './tabs';

/** One twin of any kind: who it is, and in tabs all that is known of it. */
export default function TwinView() {
  const { id = '' } = useParams();
  const query = useQuery(oneTwin(id));
  const up = { href: '/', label: 'Fleet' };
  if (query.data && !gone(query.error)) return <Seen key={query.data.id} twin={query.data} />;
  if (query.isPending) {
    return (
      <Page title={id} up={up}>
        <Skeleton lines={6} />
      </Page>
    );
  }
  return (
    <Page title={id} up={up}>
      {gone(query.error) ? (
        <Proof
          twin={id}
          otherwise={
            <Empty title="No such twin, or not yours" action={<ButtonLink href="/">To the fleet</ButtonLink>}>
              There is no twin “<bdi>{id.length > 80 ? `${id.slice(0, 80)}…` : id}</bdi>” that you may see. It may have
              been deleted, or belong to another group.
            </Empty>
          }
        />
      ) : (
        <Failure error={query.error} what="This twin could not be read" retry={() => void query.refetch()} />
      )}
    </Page>
  );
}

/** An id that cannot be one is refused as invalid; to the reader it is the same. */
const gone = (e: unknown) => e instanceof ApiError && (e.status === 404 || e.status === 400);

/** Where a twin belongs: a device to its type, a type to the others. */
function upOf({ kind, definition: { type } }: Twin) {
  if (type) return { href: typeHref(type), label: type };
  return kind === 'type' ? { href: fleetHref({ kind: 'types' }), label: 'Types' } : { href: '/', label: 'Fleet' };
}

function Seen({ twin: read }: { twin: Twin }) {
  const twin = useLiveTwin(read);
  const [tab, setTab] = useParam('tab', 'overview');
  const tabs: Tab[] = tabsOf(twin, tab);
  return (
    <Page
      title={twin.definition.name || twin.id}
      up={upOf(twin)}
      badges={<Badges twin={twin} />}
      actions={<Actions twin={read} />}
    >
      {twin.kind === 'instance' && <AlarmStrip twin={twin} more={() => setTab('alarms')} />}
      {twin.definition.phase === 'retired' && <Proof twin={twin.id} />}
      <Head twin={twin} />
      <Tabs
        label="About this twin"
        tabs={tabs}
        value={tabs.some((t) => t.id === tab) ? tab : 'overview'}
        onChange={setTab}
      />
    </Page>
  );
}
