import { Plus } from 'lucide-react';
import type { Rule, Twin } from '@/api/types';
import { Badge, SeverityBadge, toneOf } from '@/parts/Badge';
import { ButtonLink } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { parseCondition, titleWords } from '@/parts/condition';
import { Listed, type Reading } from '@/parts/Listed';
import { newRuleHref, ruleHref, twinHref } from '@/parts/links';
import { mayNotWrite, useMayWrite } from '@/parts/may';
import { Empty } from '@/parts/States';
import { TextLink } from '@/parts/TextLink';
import { unitIn } from '@/parts/useKinds';
import s from './Alarms.module.css';

/** The rules that watch a twin, and where each comes from. */
export function Rules({
  twin,
  rules,
  query,
  type,
}: {
  twin: Twin;
  rules: Rule[];
  query: Reading;
  /** The twin's type, which knows units. */
  type: Twin | undefined;
}) {
  const make = newRuleHref(twin.id);
  const may = useMayWrite(twin.id, twin.definition.owner);
  return (
    <Card
      title="Rules that watch it"
      flush
      actions={
        may && (
          <ButtonLink size="s" href={make} icon={<Plus aria-hidden />}>
            Set a threshold
          </ButtonLink>
        )
      }
    >
      <Listed
        query={query}
        count={rules.length}
        lines={3}
        empty={
          <Empty title="No rule watches it" action={may && <ButtonLink href={make}>Set a threshold</ButtonLink>}>
            A rule compares a property with a threshold and raises an alarm when it is crossed for long enough.
            {!may && ` ${mayNotWrite}`}
          </Empty>
        }
      >
        <ul>
          {rules.map((r) => (
            <li key={r.id} className={s.rule}>
              <SeverityBadge severity={r.severity} />
              <span className={s.condition}>
                {r.name && <b dir="auto">{r.name}</b>}
                <TextLink href={ruleHref(r.id)}>
                  {titleWords(r.condition, unitIn(type, parseCondition(r.condition)?.property))}
                </TextLink>
              </span>
              {r.disabled && <Badge>off</Badge>}
              <Source rule={r} twin={twin} state={twin.live.rules?.find((x) => x.rule === r.id)} />
            </li>
          ))}
        </ul>
      </Listed>
    </Card>
  );
}

function Source({ rule, twin, state }: { rule: Rule; twin: Twin; state?: { active: boolean; breached: boolean } }) {
  const own = rule.target === twin.id;
  const what = rule.target === twin.definition.type ? 'type' : 'aggregate';
  return (
    <span className={s.source}>
      {state?.active && <Badge tone={toneOf(rule.severity)}>raised now</Badge>}
      {!state?.active && state?.breached && <Badge tone="warning">crossed, not yet long enough</Badge>}
      {own ? (
        'its own'
      ) : (
        <>
          from {what} <TextLink href={twinHref(rule.target)}>{rule.target}</TextLink>
        </>
      )}
    </span>
  );
}
