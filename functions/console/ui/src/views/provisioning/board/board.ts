// The board's numbers: open runs by model and state.
import type { Board, Run } from '@/api/types';

type Item = Board['items'][number];

export interface Stage {
  state: string;
  title: string;
  count: number;
  people: number;
}

export interface Lane {
  model: string;
  /** Runs keep the version they began with, so there may be several. */
  versions: number[];
  count: number;
  people: number;
  stages: Stage[];
}

/** One lane for each model, its states in the order the platform has them; versions and types of one model are counted together. */
export function lanes(items: readonly Item[], type = ''): Lane[] {
  const found = new Map<string, Lane>();
  for (const i of items) {
    if (type && i.type !== type) continue;
    const lane = found.get(i.model) ?? { model: i.model, versions: [], count: 0, people: 0, stages: [] };
    found.set(i.model, lane);
    if (!lane.versions.includes(i.version)) lane.versions.push(i.version);
    lane.count += i.count;
    lane.people += i.waitingForPeople;
    const stage = lane.stages.find((s) => s.state === i.state);
    if (stage) {
      stage.count += i.count;
      stage.people += i.waitingForPeople;
    } else lane.stages.push({ state: i.state, title: i.title, count: i.count, people: i.waitingForPeople });
  }
  return [...found.values()].sort((a, b) => b.count - a.count || a.model.localeCompare(b.model));
}

export const orders = ['newest', 'people', 'still', 'ended'] as const;
export type Order = (typeof orders)[number];

/** What was read of the list, in the order asked for. */
export function ordered(runs: readonly Run[], order: Order): Run[] {
  const at = (when: (r: Run) => string) => (r: Run) => Date.parse(when(r));
  const first = {
    newest: at((r) => r.created),
    people: at((r) => r.asks?.since ?? r.updated),
    still: at((r) => r.updated),
    ended: at((r) => r.updated),
  }[order];
  const oldest = order === 'people' || order === 'still';
  return [...runs].sort((a, b) => (oldest ? first(a) - first(b) : first(b) - first(a)));
}
