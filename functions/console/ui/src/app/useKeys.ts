import { useEffect, useRef } from 'react';
import { useLocation } from 'wouter';
import { places } from './views';

/** Keys that work everywhere: Ctrl K or / searches; ? shows the keys; g and a letter goes to a place. Not while something is being typed. */
export function useKeys(search: () => void, help: () => void): void {
  const [, go] = useLocation();
  const latest = useRef({ search, help, go });
  latest.current = { search, help, go };
  useEffect(() => {
    let afterG = 0;
    const pressed = (e: KeyboardEvent) => {
      if ((e.metaKey || e.ctrlKey) && e.key.toLowerCase() === 'k') {
        e.preventDefault();
        latest.current.search();
        return;
      }
      if (e.metaKey || e.ctrlKey || e.altKey || typing(e.target)) return;
      if (e.key === '/') {
        e.preventDefault();
        latest.current.search();
      } else if (e.key === '?') latest.current.help();
      else if (e.key === 'g') afterG = Date.now();
      else if (Date.now() - afterG < 1200) {
        afterG = 0;
        const place = places.find((p) => p.key === e.key);
        if (place) latest.current.go(place.href);
      }
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  }, []);
}

function typing(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable ||
      /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) ||
      !!target.closest('[role=dialog],[role=menu]'))
  );
}
