import type { Problem } from './types';

/** One of several things that were wrong; of a text that was sent, with its line. */
export interface Fault {
  line?: number;
  text: string;
}

/** What went wrong with a call, in words for a person. */
export class ApiError extends Error {
  /** HTTP status; 0 where no answer came. */
  readonly status: number;
  /** The id under which the platform's log lines tell of the call; '' where it is not known. */
  readonly callId: string;
  /** Seconds after which the platform wants to be asked again; 0 where it did not say. */
  readonly retryAfter: number;
  /** All that was wrong, where that is more than one thing. */
  readonly faults: readonly Fault[];

  constructor(status: number, message: string, callId = '', retryAfter = 0, faults: readonly Fault[] = []) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.callId = callId;
    this.retryAfter = retryAfter;
    this.faults = faults;
  }
}

/** All that was wrong, where that is more than what reasonOf says. */
export const faultsOf = (e: unknown): readonly Fault[] => (e instanceof ApiError ? e.faults : []);

/** Why something failed, in words for a person. */
export const reasonOf = (e: unknown): string => (e instanceof Error ? e.message : String(e));

/**
 * What there is to say of a refusal, each thing once: where several things were wrong, the platform's reason names the first of them
 * for those who are told no more.
 */
export function saidOnce(reason: string, faults: readonly Fault[]): { reason: string; faults: readonly Fault[] } {
  if (faults.length > 1) return { reason: sentence(reason.replace(/; the first: .*$/s, '')), faults };
  const said = reason.toLowerCase();
  return { reason, faults: faults.filter((f) => !said.includes(f.text.toLowerCase())) };
}

/** The platform could not be reached at all. */
export function unreachable(): ApiError {
  return new ApiError(0, 'The platform does not answer. It may be restarting; this page tries again by itself.');
}

/** Turns the body of an answer that is not 2xx into an error. Anything may stand there: a proxy writes HTML. */
export function problemOf(status: number, body: unknown, retryAfter: string | null = null): ApiError {
  const p = body && typeof body === 'object' ? (body as Partial<Problem>) : {};
  const said = typeof p.detail === 'string' && p.detail ? p.detail : typeof p.title === 'string' ? p.title : '';
  const callId = typeof p.callId === 'string' ? p.callId : '';
  const after = Number(retryAfter);
  const errors = Array.isArray(p.errors) ? p.errors.filter((e) => typeof e === 'string').map((text) => ({ text })) : [];
  const faults = Array.isArray(p.faults) ? p.faults.filter((f) => typeof f?.text === 'string') : [];
  const text = said ? sentence(said) : fallback(status);
  return new ApiError(status, text, callId, after > 0 && after <= 3600 ? after : 0, faults.length ? faults : errors);
}

/** The platform's errors begin in lower case, because they are also parts of others. */
function sentence(s: string): string {
  const text = s.charAt(0).toUpperCase() + s.slice(1);
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

function fallback(status: number): string {
  if (status === 401) return 'You are signed out.';
  if (status === 403) return 'You may not do this.';
  if (status === 404) return 'There is nothing here, or you may not see it.';
  if (status === 429) return 'Too many calls at once. Wait a moment and try again.';
  if (status >= 500) return 'The platform cannot do this now. Try again in a moment.';
  return `The call was refused (${status}).`;
}
