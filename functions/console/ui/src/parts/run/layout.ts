// Where the states of a model stand in its drawing. The layout library is loaded when the first one is drawn.
import type { ProvisioningModel } from '@/api/types';

interface Point {
  x: number;
  y: number;
}

export interface Node extends Point {
  name: string;
}

export interface Way {
  from: string;
  to: string;
  /** Taken when a state is refused or its time is over. */
  otherwise: boolean;
  /** How its line is drawn (SVG). */
  path: string;
}

export interface Drawing {
  width: number;
  height: number;
  nodes: Node[];
  ways: Way[];
}

export const nodeWidth = 200;
export const nodeHeight = 42;

const gap = 48; // to an end at the side

/** Lays a model out from above to below, ends that many states lead to at its side. */
export async function layOut(model: ProvisioningModel): Promise<Drawing> {
  const { Graph, layout } = await import('@dagrejs/dagre');
  const g = new Graph({ multigraph: true });
  g.setGraph({ rankdir: 'TB', nodesep: 44, ranksep: 24, edgesep: 8, marginx: 2, marginy: 2 });
  g.setDefaultEdgeLabel(() => ({}));
  const states = model.states ?? [];
  const aside = endsAside(model);
  const inside = new Set(states.map((s) => s.name).filter((name) => !aside.has(name)));
  for (const name of inside) g.setNode(name, { width: nodeWidth, height: nodeHeight });
  for (const s of states)
    for (const { to, otherwise } of waysFrom(model, s))
      if (inside.has(s.name) && inside.has(to))
        g.setEdge(s.name, to, { weight: otherwise ? 1 : 20 }, otherwise ? 'else' : 'then');
  layout(g);
  let { width = 0, height = 0 } = g.graph() as { width?: number; height?: number };
  const at = new Map([...inside].map((name) => [name, g.node(name) as unknown as Point]));
  const ways: Way[] = g.edges().map((e) => {
    const { points } = g.edge(e) as unknown as { points: Point[] };
    return { from: e.v, to: e.w, otherwise: e.name === 'else', path: smooth(points) };
  });
  for (const [end, from] of aside) {
    // Below all that lead to it, so that every way goes down.
    const lowest = Math.max(...from.map((name) => at.get(name)?.y ?? 0));
    const p = { x: width + gap + nodeWidth / 2, y: lowest + nodeHeight + 24 };
    at.set(end, p);
    width = p.x + nodeWidth / 2 + 2;
    height = Math.max(height, p.y + nodeHeight / 2 + 2);
    for (const name of from) ways.push({ from: name, to: end, otherwise: true, path: corner(at.get(name)!, p) });
  }
  return { width, height, nodes: states.map(({ name }) => ({ name, ...pick(at.get(name)!) })), ways };
}

type State = NonNullable<ProvisioningModel['states']>[number];

/** Where a state leads, each place once: on by itself or by what comes, and out where something fails or is declined. */
function waysFrom(model: ProvisioningModel, s: State): { to: string; otherwise: boolean }[] {
  const bad = (name: string) => (model.states ?? []).some((o) => o.name === name && o.end === 'rejected');
  const found = new Map<string, boolean>();
  if (s.then) found.set(s.then, false);
  for (const { then: to } of s.on ?? []) if (!found.has(to)) found.set(to, bad(to));
  if (s.else && !found.has(s.else)) found.set(s.else, true);
  return [...found].map(([to, otherwise]) => ({ to, otherwise }));
}

const pick = ({ x, y }: Point): Point => ({ x, y });

/** Ends that three or more states lead to when something fails, and nothing else does: their ways are drawn as one. */
function endsAside(model: ProvisioningModel): Map<string, string[]> {
  const states = model.states ?? [];
  const from = new Map<string, string[]>();
  for (const s of states) {
    if (!s.end || s.name === model.start) continue;
    const ways = states
      .flatMap((o) => waysFrom(model, o).map((w) => ({ ...w, from: o.name })))
      .filter((w) => w.to === s.name);
    if (ways.some((w) => !w.otherwise)) continue;
    const all = ways.map((w) => w.from);
    if (all.length > 2) from.set(s.name, all);
  }
  return from;
}

/** A smooth line through the points. */
function smooth([first, ...rest]: Point[]): string {
  if (!first) return '';
  let path = `M${first.x} ${first.y}`;
  rest.forEach((p, i) => {
    const next = rest[i + 1];
    path += next ? ` Q${p.x} ${p.y} ${(p.x + next.x) / 2} ${(p.y + next.y) / 2}` : ` L${p.x} ${p.y}`;
  });
  return path;
}

/** Out at the side, then down into the end. */
function corner(a: Point, b: Point): string {
  const r = 10;
  return `M${a.x + nodeWidth / 2} ${a.y} H${b.x - r} Q${b.x} ${a.y} ${b.x} ${a.y + r} V${b.y - nodeHeight / 2}`;
}
