import { useState } from 'react';
import { Combobox } from '@/parts/Combobox';
import { operators, operatorWords } from '@/parts/condition';
import { Select, TextField } from '@/parts/Field';
import { said, unitSign, value } from '@/parts/format';
import { TwinPicker } from '@/parts/TwinPicker';
import { clears, type Errors, type Form, numberOf, type TimeUnit, timeUnits } from './form';
import s from './NewRule.module.css';
import { SeverityChoice } from './SeverityChoice';
import type { Subject } from './useSubject';

/** The fields of a rule. A target that is fixed shows and does not change: the platform cannot move a rule. */
export function RuleForm({
  form,
  errors,
  subject,
  fixed,
  suggested,
  set,
}: {
  form: Form;
  /** Of the fields that have been left, or all after a try to save. */
  errors: Errors;
  subject: Subject;
  fixed: boolean;
  /** What the threshold was suggested from, if it was: "the last 3 min". */
  suggested: string;
  set: (change: Partial<Form>) => void;
}) {
  const [typed, setTyped] = useState('');
  const code = subject.unit(form.property);
  const unit = unitSign(code);
  const words = typed.toLowerCase().trim();
  const properties = subject.properties.filter((p) => p.label.toLowerCase().includes(words)).slice(0, 100);
  return (
    <>
      <TwinPicker
        label="Watch"
        placeholder="Search a device, type or aggregate"
        value={form.target}
        onChange={(target) => set({ target })}
        disabled={fixed}
        hint={fixed ? 'A rule stays with what it watches. For another, make a new rule.' : undefined}
        error={errors.target ?? (subject.error ? 'There is no such twin, or it is not yours to see.' : undefined)}
      />
      <Combobox
        label="Property"
        placeholder="Choose a property"
        value={form.property}
        choices={properties}
        onType={setTyped}
        onChoose={(property) => set({ property })}
        free
        none="It reports no number yet; type a property’s name."
        error={errors.property}
      />
      <div className={s.pair}>
        <Select label="Raise when it" value={form.op} onChange={(e) => set({ op: e.target.value as Form['op'] })}>
          {operators.map((op) => (
            <option key={op} value={op}>
              {operatorWords[op]}
            </option>
          ))}
        </Select>
        <TextField
          label={unit ? `Threshold, ${unit}` : 'Threshold'}
          name="threshold"
          inputMode="decimal"
          maxLength={32}
          value={form.value}
          onChange={(e) => set({ value: e.target.value })}
          error={errors.value}
          hint={
            [amount(form.value, code), suggested && `Suggested from ${suggested}`].filter(Boolean).join(' · ') ||
            undefined
          }
        />
      </div>
      <div className={s.pair}>
        <div className={s.time}>
          <TextField
            label="For"
            inputMode="decimal"
            maxLength={12}
            value={form.time}
            onChange={(e) => set({ time: e.target.value })}
            error={errors.time}
            hint="0 is at once"
          />
          <Select
            label="Unit of time"
            bare
            value={form.timeUnit}
            onChange={(e) => set({ timeUnit: e.target.value as TimeUnit })}
          >
            {Object.keys(timeUnits).map((u) => (
              <option key={u} value={u}>
                {u}
              </option>
            ))}
          </Select>
        </div>
        {clears(form.op) && (
          <TextField
            label={unit ? `Clear at, ${unit}` : 'Clear at'}
            inputMode="decimal"
            maxLength={32}
            placeholder={form.value}
            value={form.clear}
            onChange={(e) => set({ clear: e.target.value })}
            error={errors.clear}
            hint={amount(form.clear, code) || 'Keeps it from flapping'}
          />
        )}
      </div>
      <SeverityChoice value={form.severity} onChange={(severity) => set({ severity })} />
      <TextField
        label="Name"
        dir="auto"
        spellCheck
        maxLength={128}
        placeholder="Optional; without it the condition is shown"
        value={form.name}
        onChange={(e) => set({ name: e.target.value })}
        error={errors.name}
      />
    </>
  );
}

/** A number as people say it, where that is not what is typed: "4100000000" is 3.82 GiB, and 4,100,000,000 of what has no unit. */
function amount(typed: string, unit: string | undefined): string {
  const v = numberOf(typed);
  if (Number.isNaN(v)) return '';
  const text = said(v, unit);
  return text !== `${value(v)} ${unitSign(unit)}`.trimEnd() || Math.abs(v) >= 100_000 ? `= ${text}` : '';
}
