import type { ReactNode } from 'react';
import type { Twin } from '@/api/types';
import { later } from '@/parts/later';
import type { Tab } from '@/parts/Tabs';

const { Part: Overview } = later(() => import('./overview/Overview'));
const { Part: TypeOverview } = later(() => import('./about/TypeOverview'));
const { Part: GroupOverview } = later(() => import('./about/GroupOverview'));
const { Part: Provisioning } = later(() => import('./provisioning/Provisioning'));
const { Part: TypeProvisioning } = later(() => import('./provisioning/TypeProvisioning'));
const { Part: Access } = later(() => import('./access/Access'));
const { Part: Alarms } = later(() => import('./alarms/Alarms'));
const { Part: Configuration } = later(() => import('./about/Configuration'));
const { Part: Log } = later(() => import('./log/Log'));
const { Part: Commands } = later(() => import('./commands/Commands'));
const { Part: TypeDriver } = later(() => import('./driver/TypeDriver'));
const { Part: TwinParked } = later(() => import('./driver/TwinParked'));
const { Part: Raw } = later(() => import('./about/Raw'));

const tab = (id: string, label: string, content: ReactNode): Tab => ({
  id,
  label,
  content: (
    <>
      <h2 className="visually-hidden">{label}</h2>
      {content}
    </>
  ),
});

/** What there is to see of a twin, by its kind. Each is loaded when it is first looked at. `seen` is the one that is shown. */
export function tabsOf(t: Twin, seen: string): Tab[] {
  const raw = tab('raw', 'Raw', <Raw twin={t} />);
  const alarms = tab('alarms', 'Alarms & rules', <Alarms twin={t} />);
  switch (t.kind) {
    case 'type':
      return [
        tab('overview', 'Model', <TypeOverview twin={t} />),
        tab('driver', 'Driver', <TypeDriver twin={t} />),
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
        tab('access', 'Access', <Access twin={t} />),
        alarms,
        tab('configuration', 'Configuration', <Configuration twin={t} />),
        tab('log', 'Log', <Log twin={t.id} />),
        tab('commands', 'Commands', <Commands twin={t} />),
        // Few twins have such; who redrives the last ones still sees how that went.
        ...(t.live.parked > 0 || seen === 'parked' ? [tab('parked', 'Parked', <TwinParked twin={t} />)] : []),
        raw,
      ];
  }
}
