import { useEffect } from 'react';
import { base, expectView } from './views';

/** Loads the view that somebody points at, so that it opens at once: by its link, or by the row that stands for the link. */
export function useExpected(): void {
  useEffect(() => {
    document.addEventListener('pointerover', expect);
    document.addEventListener('focusin', expect);
    return () => {
      document.removeEventListener('pointerover', expect);
      document.removeEventListener('focusin', expect);
    };
  }, []);
}

function expect({ target }: Event): void {
  if (!(target instanceof Element)) return;
  const link = target.closest('a') ?? target.closest('[role=row]')?.querySelector<HTMLAnchorElement>('[data-row-link]');
  if (link?.pathname?.startsWith(base)) void expectView(link.pathname.slice(base.length));
}
