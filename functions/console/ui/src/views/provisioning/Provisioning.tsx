import { Page } from '@/parts/Page';
import { Tabs } from '@/parts/Tabs';
import { useAsked } from '@/parts/useAsked';
import { useParam } from '@/parts/useParam';
import { has, useUser } from '@/parts/useUser';
import { Approvals } from './approvals/Approvals';
import { Board } from './board/Board';
import { Begin } from './manual/Begin';
import s from './Provisioning.module.css';
import { useWaitingCounts } from './waiting/useWaiting';
import { WaitingList } from './waiting/WaitingList';

/** How devices come in: the runs under way, what waits for people, bringing one in by hand, and who knocks. */
export default function Provisioning() {
  const [tab, setTab] = useParam('tab', 'board');
  const user = useUser();
  const brings = has(user, 'maintainer', 'configurator', 'owner');
  const admits = has(user, 'maintainer', 'configurator');
  const asked = useAsked().data;
  const knocking = useWaitingCounts(admits)?.waiting ?? 0;
  const tabs = [
    { id: 'board', label: 'Runs', content: <Board /> },
    ...(brings
      ? [
          {
            id: 'approvals',
            label: <Counted word="For you" n={asked?.items.length ?? 0} more={!!asked?.next} />,
            content: <Approvals />,
          },
          { id: 'manual', label: 'By hand', content: <Begin /> },
        ]
      : []),
    ...(admits
      ? [{ id: 'waiting', label: <Counted word="Waiting list" n={knocking} />, content: <WaitingList /> }]
      : []),
  ];
  return (
    <Page title="Provisioning">
      <Tabs
        label="Provisioning"
        tabs={tabs}
        value={tabs.some((t) => t.id === tab) ? tab : 'board'}
        onChange={(id) => setTab(id)}
      />
    </Page>
  );
}

function Counted({ word, n, more }: { word: string; n: number; more?: boolean }) {
  return (
    <>
      {word}
      {n > 0 && (
        <span className={s.count}>
          {n}
          {more && '+'}
        </span>
      )}
    </>
  );
}
