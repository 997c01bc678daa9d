// What a table must know of the page around it, and which of its columns find room.
import { type RefObject, useLayoutEffect, useMemo, useState } from 'react';
import type { Column } from './VirtualTable';

interface Frame {
  /** Of a row: --row. */
  height: number;
  /** Where the rows begin on the page. */
  top: number;
  /** What covers rows above and below: the bar, the headings; the navigation of a phone. */
  head: number;
  foot: number;
}

/** Measures the page around a table's rows whenever it changes. */
export function useFrame(body: RefObject<HTMLElement | null>): Frame {
  const [frame, setFrame] = useState<Frame>({ height: 40, top: 0, head: 100, foot: 16 });
  useLayoutEffect(() => {
    const measure = () => {
      const el = body.current;
      if (!el) return;
      const style = getComputedStyle(el);
      const now: Frame = {
        height: Number.parseFloat(style.getPropertyValue('--row')) || 40,
        top: Math.round(el.getBoundingClientRect().top + window.scrollY),
        head: Number.parseFloat(style.getPropertyValue('--covered-above')) || 0,
        foot: Number.parseFloat(style.getPropertyValue('--covered-below')) || 0,
      };
      setFrame((old) => (JSON.stringify(old) === JSON.stringify(now) ? old : now));
    };
    measure();
    // What stands above the table may grow: then the page's height changes, or the window's.
    const watch = new ResizeObserver(measure);
    watch.observe(document.body);
    return () => watch.disconnect();
  }, [body]);
  return frame;
}

const gap = 16; // between columns: --s4
const edge = 32; // --s4 on both sides

/** The columns that have room in so many pixels: the first always; of the others those go first that are most to spare, then the last. */
export function thatFit(columns: readonly Column[], room: number): readonly Column[] {
  let fitting = columns;
  while (fitting.length > 1 && fitting.reduce((used, c) => used + c.width + gap, edge - gap) > room) {
    const [, ...others] = fitting;
    const most = Math.max(...others.map((c) => c.spare ?? 0));
    const out = others.findLast((c) => (c.spare ?? 0) === most);
    fitting = fitting.filter((c) => c !== out);
  }
  return fitting;
}

/** Watches the table's width, and says which columns it has room for. */
export function useFit(table: RefObject<HTMLElement | null>, columns: readonly Column[]) {
  const [room, setRoom] = useState(0);
  useLayoutEffect(() => {
    const el = table.current;
    if (!el) return;
    setRoom(el.clientWidth);
    const watch = new ResizeObserver(() => setRoom(el.clientWidth));
    watch.observe(el);
    return () => watch.disconnect();
  }, [table]);
  return useMemo(() => {
    const fitting = thatFit(columns, room);
    return {
      fitting,
      template: fitting
        .map((c) => `minmax(${fitting.length > 1 ? c.width : 0}px, ${c.grow ? `${c.grow}fr` : `${c.width}px`})`)
        .join(' '),
    };
  }, [columns, room]);
}
