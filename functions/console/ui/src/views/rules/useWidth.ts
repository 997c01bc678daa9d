import { type RefCallback, useCallback, useState } from 'react';

/** The width of an element, in pixels, as it changes. */
export function useWidth(): [RefCallback<HTMLElement>, number] {
  const [width, setWidth] = useState(640);
  const ref = useCallback((el: HTMLElement | null) => {
    if (!el) return;
    const sized = new ResizeObserver(() => setWidth(el.clientWidth));
    sized.observe(el);
    setWidth(el.clientWidth);
    return () => sized.disconnect();
  }, []);
  return [ref, width];
}
