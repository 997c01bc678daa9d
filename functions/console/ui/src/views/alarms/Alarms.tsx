import { useSearchParams } from 'wouter';
import { Select } from '@/parts/Field';
import { Page } from '@/parts/Page';
import { Segments } from '@/parts/Segments';
import { SeverityFilter } from '@/parts/SeverityFilter';
import { TwinPicker } from '@/parts/TwinPicker';
import { useParam } from '@/parts/useParam';
import { severities } from '@/parts/words';
import { AlarmDetail } from './AlarmDetail';
import { AlarmList } from './AlarmList';
import type { Filter } from './alarms';
import s from './Filters.module.css';

const which = [
  { id: 'open', label: 'Open' },
  { id: 'all', label: 'All' },
] as const;

/** What is wrong now, or was: open alarms first. */
export default function Alarms() {
  const [show, setShow] = useParam('show', 'open');
  const [state, setState] = useParam('state');
  const [severity, setSeverity] = useParam('severity');
  const [twin, setTwin] = useParam('twin');
  const [alarm, setAlarm] = useParam('alarm');
  const [, setParams] = useSearchParams();
  const all = show === 'all';
  const states = all ? ['raised', 'acknowledged', 'cleared'] : ['raised', 'acknowledged'];
  const known = states.includes(state) ? (state as Filter['state']) : '';
  const filter: Filter = {
    state: known || (all ? '' : 'open'),
    severity: severities.find((v) => v === severity) ?? '',
    twin: twin.slice(0, 64),
  };
  const filtered = known !== '' || filter.severity !== '' || filter.twin !== '';
  const choose = (v: 'open' | 'all') => {
    setShow(v);
    if (v === 'open' && state === 'cleared') setState('');
  };
  return (
    <Page title="Alarms">
      <div className={s.filters}>
        <Segments label="Which alarms" value={all ? 'all' : 'open'} items={which} onChange={choose} />
        <SeverityFilter value={filter.severity} onChange={setSeverity} />
        <Select label="State" bare value={known} onChange={(e) => setState(e.target.value)}>
          <option value="">Any state</option>
          <option value="raised">Nobody yet</option>
          <option value="acknowledged">Taken on</option>
          {all && <option value="cleared">Cleared</option>}
        </Select>
        <div className={s.picker}>
          <TwinPicker label="Twin" bare any="Any twin, type or aggregate" value={filter.twin} onChange={setTwin} />
        </div>
      </div>
      <AlarmList
        key={JSON.stringify(filter)}
        filter={filter}
        filtered={filtered}
        reading={alarm !== ''}
        onOpen={setAlarm}
        onClear={() => setParams(all ? { show: 'all' } : {}, { replace: true })}
      />
      <AlarmDetail id={alarm} onClose={() => setAlarm('')} />
    </Page>
  );
}
