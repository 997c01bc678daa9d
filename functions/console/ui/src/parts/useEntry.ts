import { useEffect, useRef } from 'react';

const busy =
  'input, textarea, select, [contenteditable], [role=dialog], [role=menu], [role=listbox], [role=radiogroup], [role=tablist], [role=slider], [data-index], [data-alarm]';

/** Arrow up and down lead into a list from anywhere on its page, but where they have a meaning of their own. `enter` tells what takes the focus. */
export function useEntry(enter: () => HTMLElement | null | undefined): void {
  const latest = useRef(enter);
  latest.current = enter;
  useEffect(() => {
    const pressed = (e: KeyboardEvent) => {
      if (e.key !== 'ArrowDown' && e.key !== 'ArrowUp') return;
      if (e.defaultPrevented || e.metaKey || e.ctrlKey || e.altKey || e.shiftKey) return;
      if (e.target instanceof Element && e.target.closest(busy)) return;
      const to = latest.current();
      if (!to) return;
      e.preventDefault();
      to.focus();
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  }, []);
}
