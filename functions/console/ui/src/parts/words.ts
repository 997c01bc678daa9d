// The field's words, as all views say them.
import type { Phase, Severity, Twin } from '@/api/types';

/** How bad an alarm may be, the worst first. */
export const severities: readonly Severity[] = ['critical', 'warning', 'info'];

/** Puts the worst first. */
export const worstFirst = (a: { severity: Severity }, b: { severity: Severity }) =>
  severities.indexOf(a.severity) - severities.indexOf(b.severity);

/** The phases of a device's life, in their order. */
export const phases: readonly Phase[] = ['onboarding', 'provisioning', 'operational', 'suspended', 'retired'];

const kinds: Record<Twin['kind'], string> = { instance: 'device', type: 'type', aggregate: 'aggregate' };

/** What people call a twin's kind. */
export const kindWord = (kind: Twin['kind']) => kinds[kind];

/** Who did something, as people call them: "user:ada" is ada. */
export const actor = (by: string | undefined) => (by ?? '').replace(/^user:/, '');
