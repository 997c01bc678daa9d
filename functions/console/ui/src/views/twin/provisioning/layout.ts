// Where the states of a model stand in its drawing. The layout library is loaded when the first one is drawn.
import type { ProvisioningModel } from '@/api/types';

export interface Node {
  name: string;
  x: number;
  y: number;
}

export interface Way {
  from: string;
  to: string;
  /** Taken when a state is refused or its time is over. */
  otherwise: boolean;
  points: { x: number; y: number }[];
}

export interface Drawing {
  width: number;
  height: number;
  nodes: Node[];
  ways: Way[];
}

export const nodeWidth = 176;
export const nodeHeight = 42;

/** Lays a model out from above to below. */
export async function layOut(model: ProvisioningModel): Promise<Drawing> {
  const { Graph, layout } = await import('@dagrejs/dagre');
  const g = new Graph({ multigraph: true });
  g.setGraph({ rankdir: 'TB', nodesep: 28, ranksep: 26, edgesep: 8, marginx: 2, marginy: 2 });
  g.setDefaultEdgeLabel(() => ({}));
  const states = model.states ?? [];
  const known = new Set(states.map((s) => s.name));
  for (const s of states) g.setNode(s.name, { width: nodeWidth, height: nodeHeight });
  for (const s of states) {
    if (s.then && known.has(s.then)) g.setEdge(s.name, s.then, { weight: 20 }, 'then');
    if (s.else && known.has(s.else)) g.setEdge(s.name, s.else, { weight: 1 }, 'else');
  }
  layout(g);
  const { width = 0, height = 0 } = g.graph() as { width?: number; height?: number };
  return {
    width,
    height,
    nodes: states.map((s) => {
      const { x, y } = g.node(s.name) as { x: number; y: number };
      return { name: s.name, x, y };
    }),
    ways: g.edges().map((e) => {
      const { points } = g.edge(e) as { points: Way['points'] };
      return { from: e.v, to: e.w, otherwise: e.name === 'else', points };
    }),
  };
}
