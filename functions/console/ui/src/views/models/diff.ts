// What differs between two texts, line by line.

/** A line that both have, or only the one before, or only the one after. */
export interface Line {
  kind: 'same' | 'gone' | 'new';
  text: string;
}

const most = 2_000; // lines on each side that are compared; longer texts differ as a whole

/** The lines of two texts, what is common to them once (longest common subsequence). */
export function diff(before: string, after: string): Line[] {
  const a = before.split('\n');
  const b = after.split('\n');
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
  const same = (text: string): Line => ({ kind: 'same', text });
  return [
    ...a.slice(0, head).map(same),
    ...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...a.slice(a.length - tail).map(same),
  ];
}

function middle(a: string[], b: string[]): Line[] {
  const gone = (text: string): Line => ({ kind: 'gone', text });
  const fresh = (text: string): Line => ({ kind: 'new', text });
  if (a.length > most || b.length > most) return [...a.map(gone), ...b.map(fresh)];
  // long[i][j]: how many lines a from i on and b from j on have in common.
  const long = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  const common = (i: number, j: number) => long[i]?.[j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      (long[i] as Uint16Array)[j] =
        a[i] === b[j] ? common(i + 1, j + 1) + 1 : Math.max(common(i + 1, j), common(i, j + 1));
  const out: Line[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      out.push({ kind: 'same', text: a[i] ?? '' });
      i++;
      j++;
    } else if (j >= b.length || (i < a.length && common(i + 1, j) >= common(i, j + 1))) out.push(gone(a[i++] ?? ''));
    else out.push(fresh(b[j++] ?? ''));
  }
  return out;
}

/** Runs of lines that differ, with some around them; what lies between is left out. */
export function pieces(lines: readonly Line[], around = 3): Line[][] {
  const near = lines.map((_, i) => lines.slice(Math.max(0, i - around), i + around + 1).some((l) => l.kind !== 'same'));
  const out: Line[][] = [];
  lines.forEach((l, i) => {
    if (!near[i]) return;
    if (i === 0 || !near[i - 1]) out.push([]);
    out.at(-1)?.push(l);
  });
  return out;
}
