import type { Alarm } from '@/api/types';
import { durationWords } from '@/parts/condition';
import { useNow } from '@/parts/Time';

/** How long an alarm lasted, or has lasted so far. */
export function Lasted({ alarm: a }: { alarm: Alarm }) {
  if (!a.raisedAt) return '–';
  if (!a.clearedAt) return <SoFar since={Date.parse(a.raisedAt)} />;
  return words(Date.parse(a.clearedAt) - Date.parse(a.raisedAt));
}

function SoFar({ since }: { since: number }) {
  return words(useNow() - since);
}

const words = (ms: number) => durationWords(Math.max(0, Math.round(ms / 1000)));
