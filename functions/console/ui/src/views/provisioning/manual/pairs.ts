// The key pairs that this page has made, by run. They are in memory only: whoever loads the page anew has none of them.
import { newPair, type Pair } from './hpke';

const pairs = new Map<string, Pair>();

export const pairOf = (run: string) => pairs.get(run);

/** Keeps a pair for a run, until the device is in. */
export function keepPair(run: string, pair: Pair): void {
  if (pairs.size === 0) addEventListener('beforeunload', warn);
  pairs.set(run, pair);
}

export function dropPair(run: string): void {
  if (pairs.delete(run) && pairs.size === 0) removeEventListener('beforeunload', warn);
}

/** The run's pair, or a new one that is good as long as no credential was made for another. */
export async function pairFor(run: string): Promise<Pair> {
  const had = pairs.get(run);
  if (had) return had;
  const pair = await newPair();
  keepPair(run, pair);
  return pair;
}

function warn(e: BeforeUnloadEvent): void {
  e.preventDefault();
}
