// Where the states of a model stand in its text, so that a state may be chosen in the text and in the drawing alike.

/** A state of the text: its name, and its first and last line, from 1. */
export interface Span {
  name: string;
  from: number;
  to: number;
}

const item = /^(\s*)-(?:\s|$)/;
const named = /(?:^|[\s{,])["']?name["']?\s*:\s*["']?([^"',}\s#]+)/;

/** The states of a YAML text in their order. The platform reads it fully; this reads as much as is needed to point at a line. */
export function stateSpans(text: string): Span[] {
  const lines = text.split('\n');
  const begin = lines.findIndex((l) => /^["']?states["']?\s*:/.test(l));
  if (begin < 0) return [];
  const spans: Span[] = [];
  let indent = -1;
  for (let i = begin + 1; i < lines.length; i++) {
    const line = lines[i] ?? '';
    if (/^\s*(#.*)?$/.test(line)) continue;
    const [, space] = item.exec(line) ?? [];
    if (space === undefined && /^\S/.test(line)) break; // what comes behind the states
    if (space !== undefined && (indent < 0 || space.length === indent)) {
      indent = space.length;
      spans.push({ name: '', from: i + 1, to: i + 1 });
    }
    const last = spans.at(-1);
    if (!last) continue;
    last.to = i + 1;
    // The name of a state, not that of something deeper in it.
    const own = last.from === i + 1 || /^\s*/.exec(line)?.[0].length === indent + 2;
    if (!last.name && own) last.name = named.exec(line)?.[1] ?? '';
  }
  return spans;
}

/** The state that a line belongs to. */
export const stateAt = (spans: readonly Span[], line: number) => spans.find((s) => s.from <= line && line <= s.to);

/** The line that a place in a text is on, from 1. */
export const lineAt = (text: string, at: number) => text.slice(0, at).split('\n').length;

/** Where a line begins in a text. */
export function startOf(text: string, line: number): number {
  let at = 0;
  for (let n = 1; n < line; n++) {
    const next = text.indexOf('\n', at);
    if (next < 0) return text.length;
    at = next + 1;
  }
  return at;
}
