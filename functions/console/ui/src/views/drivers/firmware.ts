// Ranges of firmware versions, as far as it takes to tell whether some of them have all that another one has.

/** Versions from one to another, which is not among them. */
type Span = readonly [from: number, to: number];

const most = 100_000; // of each number of a version
const all: Span = [0, Number.POSITIVE_INFINITY];
const one = /^(>=|=>|<=|=<|[<>=^~])?v?(\d+|[x*])(?:\.(\d+|[x*]))?(?:\.(\d+|[x*]))?$/i;

/** The versions that are in a range; undefined = it is written in a way that is not known here. */
function spansOf(range: string): Span[] | undefined {
  const out: Span[] = [];
  for (const part of range.split('||')) {
    const words = part.replace(/([<>=^~])\s+/g, '$1').split(/[\s,]+/);
    let [from, to] = all;
    for (const word of words.filter(Boolean)) {
      const span = spanOf(word);
      if (!span) return undefined;
      [from, to] = [Math.max(from, span[0]), Math.min(to, span[1])];
    }
    if (from < to) out.push([from, to]);
  }
  return out.sort((a, b) => a[0] - b[0]);
}

/** The versions that a comparison lets through: ">=1.2", "1.x", "^0.3". Numbers that are left out stand for every number. */
function spanOf(word: string): Span | undefined {
  const m = one.exec(word);
  if (!m) return undefined;
  const numbers = m.slice(2).filter((n) => n !== undefined);
  const any = numbers.findIndex((n) => /[x*]/i.test(n));
  const given = (any < 0 ? numbers : numbers.slice(0, any)).map(Number);
  if (given.length === 0) return all;
  if (given.some((n) => n >= most)) return undefined;
  const at = (ns: readonly number[]) => ((ns[0] ?? 0) * most + (ns[1] ?? 0)) * most + (ns[2] ?? 0);
  // What comes after all versions that have the first numbers in common.
  const after = (count: number) => at([...given.slice(0, count - 1), (given[count - 1] ?? 0) + 1]);
  const [from, end] = [at(given), after(given.length)];
  switch (m[1]) {
    case '>=':
    case '=>':
      return [from, all[1]];
    case '>':
      return [end, all[1]];
    case '<':
      return [0, from];
    case '<=':
    case '=<':
      return [0, end];
    case '~':
      return [from, after(Math.min(given.length, 2))];
    case '^': {
      const first = given.findIndex((n) => n > 0);
      return [from, after(first < 0 ? given.length : first + 1)];
    }
    default:
      return [from, end];
  }
}

/** Whether ranges together have all versions of another; '' = all there are. Where it cannot be told, they have not. */
export function cover(ranges: readonly string[], range: string): boolean {
  if (ranges.some((r) => !r.trim() || r.trim() === range.trim())) return true;
  const wanted = spansOf(range);
  const had = ranges.flatMap((r) => spansOf(r) ?? []).sort((a, b) => a[0] - b[0]);
  return !!wanted?.every(([from, to]) => {
    let reached = from;
    for (const [a, b] of had) if (a <= reached) reached = Math.max(reached, b);
    return reached >= to;
  });
}
