import type { Alarm } from '@/api/types';
import { durationWords } from './condition';
import { span } from './format';
import { useNow } from './Time';

/** How long an alarm lasted, or has lasted so far. */
export function Lasted({ alarm: a, short = false }: { alarm: Alarm; short?: boolean }) {
  const words = short ? brief : exact;
  if (!a.raisedAt) return '–';
  if (!a.clearedAt) return <SoFar since={Date.parse(a.raisedAt)} words={words} />;
  return words(Date.parse(a.clearedAt) - Date.parse(a.raisedAt));
}

function SoFar({ since, words }: { since: number; words: (ms: number) => string }) {
  return words(useNow() - since);
}

const whole = (ms: number) => Math.max(0, Math.round(ms / 1000));
const brief = (ms: number) => span(whole(ms));
const exact = (ms: number) => durationWords(whole(ms));
