// The waiting list without its looks: what a filter shows, and choosing many.
import type { Waiting } from '@/api/types';

export interface Shown {
  /** Part of the serial, model or maker. */
  text: string;
  /** The likeliest type; "?" = those without any guess. */
  guess: string;
}

/** The devices that a filter shows. */
export function shown(items: readonly Waiting[], f: Shown): Waiting[] {
  const words = f.text.toLowerCase().split(/\s+/).filter(Boolean);
  return items.filter((w) => {
    const likely = w.guess?.[0]?.type ?? '?';
    const said = `${w.serial} ${w.model ?? ''} ${w.maker ?? ''} ${w.mac ?? ''}`.toLowerCase();
    return (!f.guess || likely === f.guess) && words.every((x) => said.includes(x));
  });
}

/** Who is chosen after a click on `id`; with a range, all between it and the one clicked last as well. */
export function chosenAfter(
  before: ReadonlySet<string>,
  order: readonly string[],
  id: string,
  last: string,
  range: boolean,
): Set<string> {
  const next = new Set(before);
  const [a, b] = [order.indexOf(last), order.indexOf(id)];
  const on = !before.has(id);
  for (const x of range && a >= 0 ? order.slice(Math.min(a, b), Math.max(a, b) + 1) : [id])
    if (on) next.add(x);
    else next.delete(x);
  return next;
}

/** The type that all of them are likeliest of; '' if they differ, or one has no guess. */
export function commonGuess(items: readonly Waiting[]): string {
  const types = new Set(items.map((w) => w.guess?.[0]?.type ?? ''));
  return types.size === 1 ? ([...types][0] ?? '') : '';
}

/** How many each type is guessed for, the most first. */
export function guesses(items: readonly Waiting[]): [type: string, count: number][] {
  const found = new Map<string, number>();
  for (const w of items) {
    const t = w.guess?.[0]?.type ?? '?';
    found.set(t, (found.get(t) ?? 0) + 1);
  }
  return [...found].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
}
