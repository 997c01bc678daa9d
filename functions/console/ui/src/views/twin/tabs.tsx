import { lazy, type ReactNode, Suspense } from 'react';
import type { Twin } from '@/api/types';
import { Skeleton } from '@/parts/States';
import type { Tab } from '@/parts/Tabs';

const Overview = lazy(() => import('./overview/Overview'));
const TypeOverview = lazy(() => import('./about/TypeOverview'));
const GroupOverview = lazy(() => import('./about/GroupOverview'));
const Provisioning = lazy(() => import('./provisioning/Provisioning'));
const TypeProvisioning = lazy(() => import('./provisioning/TypeProvisioning'));
const Alarms = lazy(() => import('./alarms/Alarms'));
const Configuration = lazy(() => import('./about/Configuration'));
const Log = lazy(() => import('./log/Log'));
const Commands = lazy(() => import('./commands/Commands'));
const Raw = lazy(() => import('./about/Raw'));

const tab = (id: string, label: string, content: ReactNode): Tab => ({
  id,
  label,
  content: (
    <>
      <h2 className="visually-hidden">{label}</h2>
      <Suspense fallback={<Skeleton lines={5} />}>{content}</Suspense>
    </>
  ),
});

/** What there is to see of a twin, by its kind. Each is loaded when it is first looked at. */
export function tabsOf(t: Twin): Tab[] {
  const raw = tab('raw', 'Raw', <Raw twin={t} />);
  const alarms = tab('alarms', 'Alarms & rules', <Alarms twin={t} />);
  switch (t.kind) {
    case 'type':
      return [
        tab('overview', 'Properties', <TypeOverview twin={t} />),
        tab('provisioning', 'Provisioning', <TypeProvisioning twin={t} />),
        alarms,
        raw,
      ];
    case 'aggregate':
      return [tab('overview', 'Members', <GroupOverview twin={t} />), alarms, raw];
    default:
      return [
        tab('overview', 'Overview', <Overview twin={t} />),
        tab('provisioning', 'Provisioning', <Provisioning twin={t} />),
        alarms,
        tab('configuration', 'Configuration', <Configuration twin={t} />),
        tab('log', 'Log', <Log twin={t.id} />),
        tab('commands', 'Commands', <Commands twin={t} />),
        raw,
      ];
  }
}
