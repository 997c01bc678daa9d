// A list that changes while it is read: what is looked at keeps its place, and what is new waits until it is asked for.
import type { Alarm } from '@/api/types';

export interface Row {
  alarm: Alarm;
  /** It has left the list, and stays in sight until the reader looks elsewhere. */
  gone?: boolean;
  /** It has just come. */
  fresh?: boolean;
}

interface Steady {
  rows: Row[];
  /** New ones that are held back. */
  waiting: number;
}

/** The rows to show after the list became `items`. While `hold`, no row moves: new ones wait, those that left stay, further pages are appended. */
export function steady(before: Row[], items: Alarm[], hold: boolean): Steady {
  const known = new Set(before.map((r) => r.alarm.id));
  if (before.length === 0) return { rows: items.map((alarm) => ({ alarm })), waiting: 0 };
  if (!hold) {
    const first = items.findIndex((a) => known.has(a.id));
    return {
      rows: items.map((alarm, i) => (i < first && !known.has(alarm.id) ? { alarm, fresh: true } : { alarm })),
      waiting: 0,
    };
  }
  const now = new Map(items.map((a) => [a.id, a]));
  const rows: Row[] = before.map((r) => {
    const alarm = now.get(r.alarm.id);
    return alarm ? { alarm } : { alarm: r.alarm, gone: true };
  });
  const end = items.findLastIndex((a) => known.has(a.id));
  const unseen = items.filter((a) => !known.has(a.id));
  // After the last row that is left: an older page. If none is left nobody can tell old from new, so all wait.
  const older = end < 0 ? [] : items.slice(end + 1);
  return { rows: [...rows, ...older.map((alarm) => ({ alarm }))], waiting: unseen.length - older.length };
}
