import { Select } from './Field';
import { severities } from './words';

/** Leaves only alarms or rules of one severity; '' leaves all. */
export function SeverityFilter({ value, onChange }: { value: string; onChange: (severity: string) => void }) {
  return (
    <Select label="Severity" bare value={value} onChange={(e) => onChange(e.target.value)}>
      <option value="">Any severity</option>
      {severities.map((s) => (
        <option key={s} value={s}>
          {`${s.charAt(0).toUpperCase()}${s.slice(1)}`}
        </option>
      ))}
    </Select>
  );
}
