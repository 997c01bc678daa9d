// Lines of the log, as the records of history hold them.
import { api, ok } from '@/api/client';
import type { RecordPage } from '@/api/types';

export interface Line {
  key: string;
  at: string;
  app: string;
  level: string;
  text: string;
}

export interface LinePage {
  lines: Line[];
  next?: string;
}

const enough = 100;
const most = 8; // looks; history's pages may be empty where there is much else between the lines

/** Reads lines, newest first, from `from` on. */
export async function readLines(
  twin: string,
  from: string,
  cursor: string | undefined,
  signal: AbortSignal,
): Promise<LinePage> {
  const lines: Line[] = [];
  let next = cursor;
  for (let i = 0; i < most; i++) {
    const query = { kind: 'log', order: 'desc', limit: enough, from, cursor: next } as const;
    const page = (await ok(
      api.GET('/function/twin-history/twins/{id}', { params: { path: { id: twin }, query }, signal }),
    )) as RecordPage;
    lines.push(...page.items.map(lineOf));
    next = page.next || undefined;
    if (!next || lines.length >= enough) break;
  }
  return { lines, next };
}

/** A record of kind log has the samples app, level and text; whatever else there is belongs to the text. */
export function lineOf(r: Pick<RecordPage['items'][number], 'at' | 'order' | 'samples'>): Line {
  const line: Line = { key: `${r.order.epoch}.${r.order.seq}`, at: r.at, app: '', level: '', text: '' };
  const rest: string[] = [];
  for (const { p, v } of r.samples) {
    if (p === 'app') line.app = String(v);
    else if (p === 'level') line.level = String(v).toLowerCase();
    else if (p === 'text') line.text = String(v);
    else rest.push(`${p}=${String(v)}`);
  }
  if (rest.length) line.text = [line.text, ...rest].filter(Boolean).join(' ');
  return line;
}
