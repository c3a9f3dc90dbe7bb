import { Graph, layout, type EdgeLabel, type GraphLabel, type NodeLabel } from '@dagrejs/dagre';
import { joinInputs } from '../../kernel/graph_joints.ts';
import type { GraphLayout, GraphShape } from '../../kernel/graph_layout.ts';
import { routed, type PlacedEdge, type PlacedPart } from '../../kernel/graph_routes.ts';

/**
 * Where are the nodes of a graph placed? dagre gives every node a row and a place in it, and every edge its place in
 * the rows that it passes (Gansner et al., A Technique for Drawing Directed Graphs, 1993); heights and lines are ours.
 */
const JOINT = { w: 6, h: 6 } as const;
/** Heights of dagre's rows do not matter, as long as they differ. */
const SPACING = { nodesep: 18, edgesep: 14, ranksep: 10 } as const;

export function layOutGraph(shape: GraphShape): GraphLayout {
  const { joints, edges } = joinInputs(shape);
  const sizes = [...shape.sizes, ...Array.from({ length: joints }, () => JOINT)];
  const touched = new Set(edges.flat());
  const graph = new Graph<GraphLabel, NodeLabel, EdgeLabel>();
  graph.setGraph({ rankdir: 'TB', ...SPACING });
  sizes.forEach(({ w, h }, part) => {
    if (touched.has(part)) graph.setNode(String(part), { width: w, height: h });
  });
  // Any other place of a label, even of an empty one, makes room for it in the middle of the edge.
  for (const [from, to] of edges) graph.setEdge(String(from), String(to), { labelpos: 'c' });
  layout(graph);
  const rows = rowsByHeight(graph);
  const parts = sizes.map(({ w, h }, part): PlacedPart | null => {
    if (!touched.has(part)) return null;
    const { x, y } = graph.node(String(part)) as Required<NodeLabel>;
    return { x, row: rows.get(keyOf(y)) as number, w, h };
  });
  const placed = edges.map(([from, to]): PlacedEdge => {
    const points = graph.edge(String(from), String(to)).points ?? [];
    // Between two rows dagre has places for labels; its first and last points lie on the boxes.
    const passed = points.slice(1, -1).filter(({ y }) => rows.has(keyOf(y)));
    return { from, to, xs: passed.map(({ x }) => x) };
  });
  return routed({ parts, edges: placed, sizes: shape.sizes });
}

function rowsByHeight(graph: Graph<GraphLabel, NodeLabel, EdgeLabel>): Map<string, number> {
  const heights = graph.nodes().map((node) => graph.node(node).y as number);
  const sorted = [...new Set(heights.map(keyOf))].sort((a, b) => Number(a) - Number(b));
  return new Map(sorted.map((height, row) => [height, row]));
}

function keyOf(height: number): string {
  return height.toFixed(2);
}
