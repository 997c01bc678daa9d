// The field's words, as all views say them.
import type { DriverKind, DriverOp, DriverState, Phase, Severity, Twin } from '@/api/types';

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

const driverKinds: Record<DriverKind, string> = {
  declarative: 'declarative',
  javascript: 'JavaScript',
  wasm: 'WebAssembly',
};

/** How a payload driver is written. */
export const driverKindWord = (kind: DriverKind) => driverKinds[kind] ?? kind;

const driverStates: Record<DriverState, string> = {
  draft: 'published, and no device uses it yet',
  canary: 'some devices use it',
  active: 'used by all devices whose firmware is in its range, unless a newer version is for them',
  quarantined: 'it failed too often: what it would read is parked',
  withdrawn: 'rolled back: no device uses it',
};

/** What a state of a driver's version means. */
export const driverStateWords = (state: DriverState) => driverStates[state] ?? state;

/** What a driver may be asked, as people say it; what machines do among themselves is not offered. */
export const driverOps: readonly [DriverOp, string][] = [
  ['decodeUplink', 'Read a message of the device'],
  ['encodeDownlink', 'Write a command for the device'],
  ['decodeDownlink', 'Read a command for the device'],
  ['normalizeUplink', 'Normalise decoded data'],
  ['onEvent', 'React to what the device has said'],
];

/** What a driver reacts to, as people say it; telemetry where nothing is said. */
export const eventKinds = [
  ['telemetry', 'telemetry'],
  ['state', 'reported state'],
  ['event', 'an event'],
  ['presence', 'presence'],
  ['response', 'answer to a command'],
] as const;

export const eventWord = (kind: string | undefined) => (eventKinds.find(([k]) => k === kind) ?? eventKinds[0])[1];

const failures = new Map([
  ['missing', 'The driver cannot do this.'],
  ['exception', 'It threw an exception.'],
  ['invalid', 'What it returned cannot be taken.'],
  ['timeout', 'It computed longer than it may.'],
  ['memory', 'It wanted more memory than it may have.'],
  ['output', 'What it returned is larger than may be.'],
  ['crash', 'Its worker ended.'],
]);

/** How a call of a driver went wrong. */
export const failureWords = (failure: string) => failures.get(failure) ?? failure;
