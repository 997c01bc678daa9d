import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useEffect, useMemo, useRef, useState } from 'react';
import { useLocation, useSearchParams } from 'wouter';
import { ApiError, reasonOf } from '@/api/problem';
import type { Rule } from '@/api/types';
import { Button } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { conditionText } from '@/parts/condition';
import { mayNotWrite, useMayWrite } from '@/parts/may';
import { Page } from '@/parts/Page';
import { toast } from '@/parts/toast';
import { check, conditionOf, type Errors, type Form } from './form';
import s from './NewRule.module.css';
import { Preview } from './Preview';
import { RuleForm } from './RuleForm';
import { suggest } from './replay';
import { changeRule, createRule, deleteRule, rulesChanged } from './rules';
import { measuredIn, useDay } from './useDay';
import { useSubject } from './useSubject';

/** The form of a rule beside what it would have done. */
export function Editor({
  start,
  rule,
  etag,
  onReload,
}: {
  start: Form;
  rule?: Rule;
  etag?: string;
  onReload?: () => void;
}) {
  const [form, setForm] = useState(start);
  const [left, setLeft] = useState<Partial<Record<keyof Form, true>>>({});
  const [example, setExample] = useState('');
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<unknown>();
  const [, setParams] = useSearchParams();
  const queries = useQueryClient();
  const element = useRef<HTMLFormElement>(null);
  const leave = useLeave();
  const subject = useSubject(form.target, example);
  const may = useMayWrite(form.target);
  const day = useDay(subject.example, form.property);
  const condition = useMemo(() => conditionOf(form), [form]);
  const errors = check(form);

  const set = (change: Partial<Form>) => {
    setForm((f) => ({ ...f, ...change }));
    setLeft((l) => ({ ...l, ...Object.fromEntries(Object.keys(change).map((k) => [k, true])) }));
  };

  // What is chosen stands in the address, so that reloading or sharing keeps it.
  useEffect(() => {
    if (rule) return;
    setParams(
      (old) => {
        const next = new URLSearchParams(old);
        for (const [name, v] of [
          ['twin', form.target],
          ['property', form.property],
        ] as const)
          if (v) next.set(name, v);
          else next.delete(name);
        return next;
      },
      { replace: true },
    );
  }, [form.target, form.property, rule, setParams]);

  // A threshold to begin with, until one is typed, and never under the hands of who is just about to.
  const suggestion =
    !rule && !left.value && day.data ? suggest(day.data.steps, subject.unit(form.property)) : undefined;
  useEffect(() => {
    const typing = document.activeElement instanceof HTMLInputElement && document.activeElement.name === 'threshold';
    if (suggestion !== undefined && !typing) setForm((f) => ({ ...f, value: String(suggestion) }));
  }, [suggestion]);

  const save = async (e: FormEvent) => {
    e.preventDefault();
    if (Object.keys(errors).length > 0 || !condition) {
      setLeft(Object.fromEntries(Object.keys(form).map((k) => [k, true])));
      requestAnimationFrame(() => element.current?.querySelector<HTMLElement>('[aria-invalid]')?.focus());
      return;
    }
    setBusy(true);
    setFailed(undefined);
    const edit = { name: form.name.trim(), condition: conditionText(condition), severity: form.severity };
    try {
      const saved = rule ? await changeRule(rule.id, edit, etag) : await createRule({ target: form.target, ...edit });
      toast.done(rule ? 'The rule is changed' : 'The rule is made, and watches from now on', () => void undo(saved.id));
      void rulesChanged(queries);
      leave();
    } catch (e) {
      setFailed(e);
      setBusy(false);
    }
  };
  const undo = async (id: string) => {
    try {
      if (rule) await changeRule(id, { name: rule.name ?? '', condition: rule.condition, severity: rule.severity });
      else await deleteRule(id);
      void rulesChanged(queries);
    } catch (e) {
      toast.failed('Not undone', e);
    }
  };
  const shown: Errors = Object.fromEntries(Object.entries(errors).filter(([k]) => left[k as keyof Form]));
  return (
    <Page
      title={rule ? 'Edit rule' : 'New rule'}
      up={{ href: '/rules', label: 'Rules' }}
      note="The line on the chart is the threshold: drag it, or type it."
    >
      <form ref={element} className={s.page} onSubmit={save} noValidate>
        <Card className={s.fields}>
          <RuleForm
            form={form}
            errors={shown}
            subject={subject}
            fixed={!!rule}
            suggested={
              suggestion !== undefined && form.value === String(suggestion) && day.data ? measuredIn(day.data) : ''
            }
            set={set}
          />
        </Card>
        <Preview
          form={form}
          condition={condition}
          subject={subject}
          day={day}
          rule={rule?.id}
          onExample={setExample}
          onMove={(id, v) => set({ [id]: String(v) })}
        />
        <footer className={s.foot}>
          {!!failed && <SaveFailed error={failed} onReload={onReload} />}
          {!may && (
            <p className={s.failed} role="status">
              You may not set rules on it. {mayNotWrite}
            </p>
          )}
          <Button onClick={leave}>Cancel</Button>
          <Button kind="primary" type="submit" busy={busy} disabled={!may}>
            {rule ? 'Save' : 'Make the rule'}
          </Button>
        </footer>
      </form>
    </Page>
  );
}

function SaveFailed({ error, onReload }: { error: unknown; onReload?: () => void }) {
  const changed = error instanceof ApiError && error.status === 412;
  return (
    <p className={s.failed} role="alert">
      {changed ? 'Somebody else has changed this rule meanwhile. ' : reasonOf(error)}
      {changed && onReload && (
        <Button size="s" onClick={onReload}>
          Show theirs
        </Button>
      )}
    </p>
  );
}

/** Goes to where one came from, if that was a page of the console. */
function useLeave() {
  const [, go] = useLocation();
  return () => {
    const { navigation } = window as { navigation?: { canGoBack: boolean } };
    if (navigation?.canGoBack) history.back();
    else go('/rules');
  };
}
