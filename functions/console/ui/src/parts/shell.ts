/** Text as one word of a POSIX shell, whatever stands in it: commands are shown to be pasted. */
export function quoted(s: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(s) ? s : `'${s.replaceAll("'", `'\\''`)}'`;
}
