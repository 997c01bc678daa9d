import { useQuery } from '@tanstack/react-query';
import { Plus, SlidersHorizontal } from 'lucide-react';
import { useMemo, useState } from 'react';
import { useSearchParams } from 'wouter';
import { alarms } from '@/api/reads';
import type { Rule } from '@/api/types';
import { Button, ButtonLink } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { TextField } from '@/parts/Field';
import { count } from '@/parts/format';
import { Listed, More } from '@/parts/Listed';
import { Page } from '@/parts/Page';
import { RowTable } from '@/parts/RowTable';
import { SeverityFilter } from '@/parts/SeverityFilter';
import { Empty } from '@/parts/States';
import { useKinds } from '@/parts/useKinds';
import { useParam } from '@/parts/useParam';
import { RuleRow } from './RuleRow';
import s from './Rules.module.css';
import { allRules } from './rules';
import { Told } from './Told';

const few = 100; // rows that are drawn at first

/** All rules: what is watched, and by which condition. */
export default function Rules() {
  const rules = useQuery(allRules);
  const open = useQuery(alarms({ state: 'open', limit: 1000 }));
  const kinds = useKinds();
  const [q, setQ] = useParam('q');
  const [severity, setSeverity] = useParam('severity');
  const [, setParams] = useSearchParams();
  const [drawn, setDrawn] = useState(few);
  const byRule = useMemo(() => {
    const of = new Map<string, number>();
    for (const a of open.data?.items ?? []) of.set(a.rule, (of.get(a.rule) ?? 0) + 1);
    return of;
  }, [open.data]);
  const clear = () => setParams({}, { replace: true });
  const all = rules.data?.items ?? [];
  const found = all.filter(
    (r) => (severity === '' || r.severity === severity) && matches(r, q, kinds.get(r.target)?.definition.name),
  );
  return (
    <Page
      title="Rules"
      note="A rule watches a property and raises an alarm when it crosses a threshold."
      actions={
        <ButtonLink href="/rules/new" kind="primary" icon={<Plus aria-hidden />}>
          New rule
        </ButtonLink>
      }
    >
      {all.length > 0 && (
        <div className={s.filters}>
          <div className={s.search}>
            <TextField
              label="Search rules"
              bare
              type="search"
              placeholder="Search by name, condition or what is watched"
              maxLength={128}
              value={q}
              onChange={(e) => setQ(e.target.value)}
            />
          </div>
          <SeverityFilter value={severity} onChange={setSeverity} />
          <span className={s.count} role="status">
            {found.length === all.length
              ? `${count(all.length)}${rules.data?.more ? '+' : ''} rules`
              : `${count(found.length)} of ${count(all.length)}`}
          </span>
        </div>
      )}
      <Card flush>
        <Listed
          query={rules}
          count={found.length}
          height={36}
          what="The rules could not be read"
          empty={
            all.length === 0 ? (
              <NoRules />
            ) : (
              <Empty title="No rule matches" action={<Button onClick={clear}>Clear the filters</Button>} />
            )
          }
        >
          <RowTable className={s.table}>
            <thead>
              <tr>
                {['On', 'Rule', 'Watches', 'Severity', 'Open alarms', 'By', 'Actions'].map((h) => (
                  <th key={h} scope="col">
                    <span className={h === 'On' || h === 'Actions' ? 'visually-hidden' : undefined}>{h}</span>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {found.slice(0, drawn).map((r) => (
                <RuleRow key={r.id} rule={r} target={kinds.get(r.target)} alarms={byRule.get(r.id) ?? 0} />
              ))}
            </tbody>
          </RowTable>
        </Listed>
        {found.length > drawn && <More onClick={() => setDrawn(drawn + 200)}>Show more</More>}
      </Card>
      <Told />
    </Page>
  );
}

function NoRules() {
  return (
    <Empty
      icon={<SlidersHorizontal aria-hidden />}
      title="Nothing is watched yet"
      action={
        <ButtonLink href="/rules/new" kind="primary">
          Set the first threshold
        </ButtonLink>
      }
    >
      A rule says what is too much or too little: “temperature is above 80 °C for 1 minute”. It watches one device, or
      all of a type or aggregate, and raises an alarm when that is so.
    </Empty>
  );
}

function matches(r: Rule, q: string, targetName = ''): boolean {
  const text = `${r.name ?? ''} ${r.condition} ${r.target} ${targetName} ${r.id} ${r.by}`.toLowerCase();
  return q
    .toLowerCase()
    .split(/\s+/)
    .every((w) => text.includes(w));
}
