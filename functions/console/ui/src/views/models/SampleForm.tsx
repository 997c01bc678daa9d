import { Select, TextArea, TextField } from '@/parts/Field';
import form from '@/parts/Form.module.css';
import s from './DryRun.module.css';
import type { Sample } from './sample';

const texts = [
  ['type', 'Type'],
  ['serial', 'Serial'],
  ['model', 'Model'],
  ['owner', 'Owner'],
  ['maker', 'Maker'],
  ['batch', 'Claim’s batch'],
  ['region', 'Region'],
  ['site', 'Site'],
] as const;

/** The device that is thought of: what it says, what is known of it, and the claim it has. */
export function SampleForm({ sample: v, onChange }: { sample: Sample; onChange: (change: Partial<Sample>) => void }) {
  return (
    <fieldset className={form.set}>
      <legend>The device</legend>
      <div className={s.fields}>
        {texts.map(([name, label]) => (
          <TextField
            key={name}
            label={label}
            maxLength={64}
            dir="auto"
            value={v[name]}
            onChange={(e) => onChange({ [name]: e.target.value })}
          />
        ))}
        <Select label="Protocol" value={v.protocol} onChange={(e) => onChange({ protocol: e.target.value })}>
          <option value="mqtt">MQTT</option>
          <option value="grpc">gRPC</option>
          <option value="http">HTTP</option>
        </Select>
      </div>
      <TextArea
        label="Facts"
        rows={2}
        placeholder="firmware = 2"
        hint="What else it says of itself, one a line."
        maxLength={4000}
        value={v.facts}
        onChange={(e) => onChange({ facts: e.target.value })}
      />
      <label className={form.check}>
        <input type="checkbox" checked={v.known} onChange={(e) => onChange({ known: e.target.checked })} />
        Its serial is known
      </label>
      <label className={form.check}>
        <input type="checkbox" checked={v.temporary} onChange={(e) => onChange({ temporary: e.target.checked })} />
        Its claim is an installer’s (temporary)
      </label>
    </fieldset>
  );
}
