import type { Run } from '@/api/types';
import { path } from '@/parts/path';

/** How far a run is, from 0 to 1; undefined where its model is not known. A detour counts as where it left the way. */
export function progress(run: Run): number | undefined {
  if (run.outcome === 'completed') return 1;
  const states = path(run.model).map((s) => s.name);
  if (states.length < 2) return undefined;
  const been = [...run.steps.slice(run.first).map((s) => s.state), run.state];
  return Math.max(0, ...been.map((s) => states.indexOf(s))) / (states.length - 1);
}

/** A state's name as words: "issue-certificate" → "issue certificate". */
export const words = (state: string) => state.replace(/[-_.]+/g, ' ').trim();
