// The platform's time. A browser's clock may be a day off; ages are told by the clock that stamped what they are of.

const slack = 5_000; // ms: less is the way's, and the header's whole seconds
let offset = 0;

/** The present, in milliseconds, as the platform has it. */
export const now = (): number => Date.now() + offset;

/** Sets the clock by the Date header of an answer that was asked for at `asked` and has just come. Nothing is learnt from one that took long. */
export function setClock(date: string | null, asked: number): void {
  const came = Date.now();
  const told = Date.parse(date ?? '');
  if (Number.isNaN(told) || came < asked || came - asked > 2 * slack) return;
  const off = told + 500 - (asked + came) / 2;
  offset = Math.abs(off) > slack ? off : 0;
}
