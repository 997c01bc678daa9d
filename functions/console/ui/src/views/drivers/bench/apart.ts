// Where two texts differ, so that people see it at once in long ones.

/** Two texts: what both begin and end with, and what only each has between. */
export interface Apart {
  head: string;
  want: string;
  got: string;
  tail: string;
}

const near = 24; // characters of what is common that are shown on either side

/** Takes two texts apart. Of what they have in common only what is near the difference is left. */
export function apart(want: string, got: string): Apart {
  const [a, b] = [[...want], [...got]]; // by character: half of one is none
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++;
  // Numbers are read as a whole: 21.5 and 215 do not differ in a dot.
  const number = (c: string | undefined) => c !== undefined && /[\d.eE+-]/.test(c);
  while (head > 0 && number(a[head - 1]) && (number(a[head]) || number(b[head]))) head--;
  while (tail > 0 && number(a.at(-tail)) && (number(a.at(-tail - 1)) || number(b.at(-tail - 1)))) tail--;
  const before = a.slice(0, head).join('');
  const after = tail ? a.slice(-tail).join('') : '';
  return {
    head: head > near ? `…${[...before].slice(-near).join('')}` : before,
    want: a.slice(head, a.length - tail).join(''),
    got: b.slice(head, b.length - tail).join(''),
    tail: tail > near ? `${[...after].slice(0, near).join('')}…` : after,
  };
}
