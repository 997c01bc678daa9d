/** The longest tasks of a page's main thread, in milliseconds. On a busy machine a task lasts longer than it works. */
export interface Tasks {
  /** By the clock, and by the time that the processor worked on it. */
  longest: number;
  longestWork: number;
  /** Those over 50 ms. */
  over: number;
  overWork: number;
}

interface Event {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  dur?: number;
  tdur?: number;
  args?: { name?: string };
}

/** Reads Chromium's trace, in which the page's is the renderer that did most. */
export function tasksOf(trace: Buffer): Tasks {
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: Event[] };
  const main = new Set(traceEvents.filter((e) => e.ph === 'M' && e.name === 'thread_name' && e.args?.name === 'CrRendererMain').map((e) => `${e.pid} ${e.tid}`));
  const t: Tasks = { longest: 0, longestWork: 0, over: 0, overWork: 0 };
  for (const e of traceEvents) {
    if (e.ph !== 'X' || !/RunTask/.test(e.name) || !main.has(`${e.pid} ${e.tid}`)) continue;
    const clock = (e.dur ?? 0) / 1000;
    const work = (e.tdur ?? e.dur ?? 0) / 1000;
    t.longest = Math.max(t.longest, clock);
    t.longestWork = Math.max(t.longestWork, work);
    if (clock > 50) t.over++;
    if (work > 50) t.overWork++;
  }
  return t;
}
