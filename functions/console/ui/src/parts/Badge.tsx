import type { ReactNode } from 'react';
import type { Phase, Severity } from '@/api/types';
import s from './Badge.module.css';
import { cx } from './cx';

export type Tone = 'neutral' | 'accent' | 'ok' | 'info' | 'warning' | 'critical';

/** A short word with a colour that means something; `dot` puts a point before it. */
export function Badge({
  tone = 'neutral',
  dot = false,
  children,
}: {
  tone?: Tone;
  dot?: boolean;
  children: ReactNode;
}) {
  return (
    <span className={cx(s.badge, s[tone])}>
      {dot && <span className={s.dot} aria-hidden />}
      {children}
    </span>
  );
}

const phases: Record<Phase, Tone> = {
  onboarding: 'info',
  provisioning: 'accent',
  operational: 'ok',
  suspended: 'warning',
  retired: 'neutral',
};

/** Where an instance is in its life. */
export function PhaseBadge({ phase }: { phase: Phase | undefined }) {
  return phase ? <Badge tone={phases[phase] ?? 'neutral'}>{phase}</Badge> : null;
}

const severities: Record<Severity, Tone> = { info: 'info', warning: 'warning', critical: 'critical' };

export const toneOf = (severity: Severity): Tone => severities[severity] ?? 'neutral';

export function SeverityBadge({ severity }: { severity: Severity }) {
  return (
    <Badge tone={toneOf(severity)} dot>
      {severity}
    </Badge>
  );
}

/** Whether a device can be reached. */
export function PresenceDot({
  online,
  seen = true,
  label = true,
}: {
  online: boolean;
  seen?: boolean;
  label?: boolean;
}) {
  const word = online ? 'online' : seen ? 'offline' : 'never seen';
  return (
    <span className={s.presence}>
      <span className={cx(s.dot, online ? s.on : s.off)} aria-hidden />
      {label ? word : <span className="visually-hidden">{word}</span>}
    </span>
  );
}
