import { Plus } from 'lucide-react';
import { Link } from 'wouter';
import type { Rule, Twin } from '@/api/types';
import { Badge, SeverityBadge } from '@/parts/Badge';
import { ButtonLink } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { Empty, Failure, Skeleton } from '@/parts/States';
import s from './Alarms.module.css';

/** The rules that watch a twin, and where each comes from. */
export function Rules({
  twin,
  rules,
  pending,
  error,
  refetch,
}: {
  twin: Twin;
  rules: Rule[];
  pending: boolean;
  error: unknown;
  refetch: () => void;
}) {
  const make = `/rules/new?twin=${encodeURIComponent(twin.id)}`;
  return (
    <Card
      title="Rules that watch it"
      flush
      actions={
        <ButtonLink size="s" href={make} icon={<Plus aria-hidden />}>
          Set a threshold
        </ButtonLink>
      }
    >
      {pending && rules.length === 0 ? (
        <div className={s.pad}>
          <Skeleton lines={3} />
        </div>
      ) : error && rules.length === 0 ? (
        <Failure error={error} retry={refetch} />
      ) : rules.length === 0 ? (
        <Empty title="No rule watches it" action={<ButtonLink href={make}>Set a threshold</ButtonLink>}>
          A rule compares a property with a threshold and raises an alarm when it is crossed for long enough.
        </Empty>
      ) : (
        <ul>
          {rules.map((r) => (
            <li key={r.id} className={s.rule}>
              <SeverityBadge severity={r.severity} />
              <span className={s.condition}>
                {r.name && <b dir="auto">{r.name}</b>}
                <Link href={`/rules/new?rule=${encodeURIComponent(r.id)}`} className={s.link}>
                  <code dir="ltr">{r.condition}</code>
                </Link>
              </span>
              {r.disabled && <Badge>off</Badge>}
              <Source rule={r} twin={twin} state={twin.live.rules?.find((x) => x.rule === r.id)} />
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function Source({ rule, twin, state }: { rule: Rule; twin: Twin; state?: { active: boolean; breached: boolean } }) {
  const own = rule.target === twin.id;
  const what = rule.target === twin.definition.type ? 'type' : 'group';
  return (
    <span className={s.source}>
      {state?.active && <Badge tone={rule.severity === 'info' ? 'info' : rule.severity}>raised now</Badge>}
      {!state?.active && state?.breached && <Badge tone="warning">crossed, not yet long enough</Badge>}
      {own ? (
        'its own'
      ) : (
        <>
          from {what}{' '}
          <Link href={`/twins/${encodeURIComponent(rule.target)}`} className={s.link}>
            <bdi>{rule.target}</bdi>
          </Link>
        </>
      )}
    </span>
  );
}
