import { useSearchParams } from 'wouter';
import { cx } from '@/parts/cx';
import { Select } from '@/parts/Field';
import { Page } from '@/parts/Page';
import { TwinPicker } from '@/parts/TwinPicker';
import { useParam } from '@/parts/useParam';
import { AlarmDetail } from './AlarmDetail';
import { AlarmList } from './AlarmList';
import type { Filter } from './alarms';
import s from './Filters.module.css';

const severities = ['', 'critical', 'warning', 'info'];

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
    severity: severities.includes(severity) ? severity : '',
    twin: twin.slice(0, 64),
  };
  const filtered = known !== '' || filter.severity !== '' || filter.twin !== '';
  return (
    <Page title="Alarms">
      <div className={s.filters}>
        <fieldset className={s.tabs}>
          <legend className="visually-hidden">Which alarms</legend>
          {(['open', 'all'] as const).map((v) => (
            <label key={v} className={cx(s.tab, show === v && s.here)}>
              <input
                type="radio"
                name="show"
                value={v}
                checked={all === (v === 'all')}
                onChange={() => {
                  setShow(v);
                  if (v === 'open' && state === 'cleared') setState('');
                }}
              />
              {v === 'open' ? 'Open' : 'All'}
            </label>
          ))}
        </fieldset>
        <Select label="Severity" bare value={filter.severity} onChange={(e) => setSeverity(e.target.value)}>
          <option value="">Any severity</option>
          <option value="critical">Critical</option>
          <option value="warning">Warning</option>
          <option value="info">Info</option>
        </Select>
        <Select label="State" bare value={known} onChange={(e) => setState(e.target.value)}>
          <option value="">Any state</option>
          <option value="raised">Nobody yet</option>
          <option value="acknowledged">Taken on</option>
          {all && <option value="cleared">Cleared</option>}
        </Select>
        <div className={s.picker}>
          <TwinPicker label="Twin" bare any="Any twin, type or group" value={filter.twin} onChange={setTwin} />
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
