import { type KeyboardEvent, type RefObject, useMemo } from 'react';
import type { Fault } from '@/api/problem';
import s from './CodeArea.module.css';
import { cx } from './cx';

const none: readonly Fault[] = [];
const rowHeight = 20; // as in the style sheet

/** Text with line numbers; what is wrong with it stands at its lines, and chosen lines are marked. */
export function CodeArea({
  area,
  label,
  text,
  faults = none,
  chosen,
  readOnly,
  describedBy,
  onChange,
  onCaret,
}: {
  area?: RefObject<HTMLTextAreaElement | null>;
  /** What the text is. */
  label: string;
  text: string;
  faults?: readonly Fault[];
  /** The lines that are marked. */
  chosen?: { from: number; to: number };
  readOnly?: boolean;
  /** The list of faults, for who does not see them. */
  describedBy?: string;
  onChange: (text: string) => void;
  /** The place in the text that the caret has moved to. */
  onCaret?: (at: number) => void;
}) {
  const lines = useMemo(() => text.split('\n'), [text]);
  const at = useMemo(() => byLine(faults, lines.length), [faults, lines.length]);
  const said = (line: number) => (at.get(line) ?? []).map((f) => f.text).join('; ');
  const widest = lines.reduce((most, l, i) => Math.max(most, l.length + said(i + 1).length), 0);
  const top = (line: number) => ({ top: (line - 1) * rowHeight });
  return (
    <div className={s.box}>
      <div className={s.gutter} aria-hidden>
        {lines.map((_, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a line's number is what it is
          <span key={i} className={cx(at.has(i + 1) && s.bad)}>
            {i + 1}
          </span>
        ))}
      </div>
      <div className={s.sheet} style={{ height: lines.length * rowHeight, minWidth: `${widest + 3}ch` }}>
        {chosen && (
          <div
            className={s.chosen}
            style={{ ...top(chosen.from), height: (chosen.to - chosen.from + 1) * rowHeight }}
            aria-hidden
          />
        )}
        {[...at.keys()].map((line) => (
          <div key={line} className={s.fault} style={top(line)} aria-hidden>
            <span className={s.said} style={{ marginLeft: `${(lines[line - 1]?.length ?? 0) + 3}ch` }}>
              {said(line)}
            </span>
          </div>
        ))}
        <textarea
          ref={area}
          aria-label={label}
          aria-describedby={describedBy}
          aria-invalid={faults.length > 0 || undefined}
          className={s.area}
          value={text}
          readOnly={readOnly}
          wrap="off"
          spellCheck={false}
          autoCapitalize="off"
          autoCorrect="off"
          autoComplete="off"
          onChange={(e) => onChange(e.target.value)}
          onSelect={(e) => onCaret?.(e.currentTarget.selectionStart)}
          onKeyDown={goOn}
        />
      </div>
    </div>
  );
}

function byLine(faults: readonly Fault[], lines: number): Map<number, Fault[]> {
  const at = new Map<number, Fault[]>();
  for (const f of faults) {
    const line = Math.min(f.line ?? 1, lines);
    at.set(line, [...(at.get(line) ?? []), f]);
  }
  return at;
}

/** A new line begins where the one before does. By the browser's own command, so that it can be undone. */
function goOn(e: KeyboardEvent<HTMLTextAreaElement>): void {
  if (e.key !== 'Enter' || e.ctrlKey || e.metaKey || e.altKey || e.nativeEvent.isComposing) return;
  const { value, selectionStart, readOnly } = e.currentTarget;
  if (readOnly) return;
  const line = value.slice(value.lastIndexOf('\n', selectionStart - 1) + 1, selectionStart);
  const space = /^\s*(- )?/.exec(line)?.[0].replace('-', ' ') ?? '';
  if (space && document.execCommand('insertText', false, `\n${space}`)) e.preventDefault();
}
