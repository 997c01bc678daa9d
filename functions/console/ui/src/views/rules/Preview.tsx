import { useMemo } from 'react';
import { Card } from '@/parts/Card';
import { CodeBlock } from '@/parts/Copy';
import { type Condition, clearWords, durationWords, operatorWords } from '@/parts/condition';
import { Select } from '@/parts/Field';
import { said } from '@/parts/format';
import { Failure, Skeleton } from '@/parts/States';
import { kindWord } from '@/parts/words';
import { DayChart, type Line } from './DayChart';
import { command, type Form, numberOf } from './form';
import s from './NewRule.module.css';
import { replay, type Spell } from './replay';
import { Told } from './Told';
import { measuredIn, stepLength, type useDay } from './useDay';
import type { Subject } from './useSubject';

/** What the rule would have done in the last day, and what it says. */
export function Preview({
  form,
  condition,
  subject,
  day,
  rule,
  onExample,
  onMove,
}: {
  form: Form;
  condition: Condition | undefined;
  subject: Subject;
  day: ReturnType<typeof useDay>;
  rule?: string;
  onExample: (id: string) => void;
  onMove: (id: Line['id'], value: number) => void;
}) {
  const unit = subject.unit(form.property);
  const spells = useMemo(
    () => (condition && day.data ? replay(condition, day.data.steps, stepLength, day.data.to) : []),
    [condition, day.data],
  );
  const lines = useMemo(() => {
    const out: Line[] = [];
    const [v, clear] = [numberOf(form.value), numberOf(form.clear)];
    if (!Number.isNaN(v)) out.push({ id: 'value', label: 'Threshold', value: v });
    if (!Number.isNaN(clear) && condition?.clear !== undefined)
      out.push({ id: 'clear', label: 'Clear at', value: clear });
    return out;
  }, [form.value, form.clear, condition?.clear]);
  return (
    <Card
      className={s.preview}
      title={form.property ? <bdi>{form.property}</bdi> : 'The last day'}
      actions={
        subject.examples.length > 0 && (
          <Select
            className={s.example}
            label="Example"
            bare
            value={subject.example}
            onChange={(e) => onExample(e.target.value)}
          >
            {subject.examples.map((t) => (
              <option key={t.id} value={t.id}>
                {(t.definition.name || t.id).slice(0, 60)}
              </option>
            ))}
          </Select>
        )
      }
    >
      {!form.target || !form.property ? (
        <p className={s.blank}>
          Choose what is watched. Its last day then shows here, with the threshold on it and the alarms there would have
          been.
        </p>
      ) : !subject.example ? (
        <p className={s.blank}>
          {subject.target
            ? `No device of this ${kindWord(subject.target.kind)} yet; the rule will watch those to come.`
            : ''}
        </p>
      ) : day.isError ? (
        <Failure error={day.error} what="The last day could not be read" retry={() => day.refetch()} />
      ) : !day.data ? (
        <Skeleton height={280} />
      ) : (
        <>
          <DayChart
            day={day.data}
            property={form.property}
            unit={unit}
            lines={lines}
            spells={spells}
            severity={form.severity}
            onMove={onMove}
          />
          <p className={s.verdict} role="status">
            {condition && day.data.steps.length > 0 && (
              <Verdict spells={spells} subject={subject} time={measuredIn(day.data)} />
            )}
          </p>
        </>
      )}
      {condition && form.property && (
        <div className={s.said}>
          <p>
            <Sentence form={form} condition={condition} subject={subject} unit={unit} />
          </p>
          <CodeBlock code={command(form, condition, rule)} label="the same by command line" />
          <Told severity={form.severity} target={form.target} />
        </div>
      )}
    </Card>
  );
}

function Verdict({ spells, subject, time }: { spells: Spell[]; subject: Subject; time: string }) {
  const where = subject.target?.kind === 'instance' ? '' : ' on this device';
  if (spells.length === 0)
    return (
      <>
        Would have raised no alarm{where} in {time}.
      </>
    );
  const longest = Math.max(...spells.map((p) => p.to - p.from));
  return (
    <>
      Would have raised{' '}
      <b>
        {spells.length} {spells.length === 1 ? 'alarm' : 'alarms'}
      </b>
      {where} in {time}, {spells.length > 1 && 'the longest '}
      <b>{durationWords(Math.max(1, longest))}</b>
      {spells.length === 1 && ' long'}.{spells.some((p) => p.open) && ' It would be raised now.'}
    </>
  );
}

function Sentence({
  form,
  condition: c,
  subject,
  unit,
}: {
  form: Form;
  condition: Condition;
  subject: Subject;
  unit?: string;
}) {
  const t = subject.target;
  const name = (t?.definition.name || form.target).slice(0, 80);
  return (
    <>
      Raises {form.severity === 'info' ? 'an' : 'a'} <b>{form.severity}</b> alarm when <bdi>{c.property}</bdi> of{' '}
      {t && t.kind !== 'instance' && `any device of the ${kindWord(t.kind)} `}
      <bdi>{name || '…'}</bdi> {operatorWords[c.op]} <b>{said(c.value, unit)}</b>
      {c.for > 0 ? ` for ${durationWords(c.for)}` : ', at once'}. It is over when the value {clearWords(c.op)}{' '}
      <b>{said(c.clear ?? c.value, unit)}</b>.
    </>
  );
}
