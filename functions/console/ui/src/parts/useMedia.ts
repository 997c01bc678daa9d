import { useSyncExternalStore } from 'react';

/** Whether a media query holds, now and as the window changes. */
export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (f) => {
      const media = matchMedia(query);
      media.addEventListener('change', f);
      return () => media.removeEventListener('change', f);
    },
    () => matchMedia(query).matches,
  );
}
