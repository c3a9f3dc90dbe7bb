import type { GraphLayout } from './graph_layout.ts';
import type { Graph } from './network.ts';

/** Where do keys lead in a graph, and which lines belong to a node? */
export type Step = 'down' | 'up' | 'left' | 'right';

/** So much more does a node have to lie beside another one than above or below it. */
const BESIDE = 0.6;

/** Down and up along an edge, to the nearest of its other ends; left and right to the nearest node beside it. */
export function stepFrom(graph: Graph, layout: GraphLayout, node: number, step: Step): number {
  const alongEdge = step === 'down' || step === 'up';
  const ends = alongEdge ? endsOf(graph, node, step) : besideOf(layout, node, step === 'right');
  const { x, y } = middleOf(layout, node);
  let nearest = node;
  let best = Number.POSITIVE_INFINITY;
  for (const end of ends) {
    const to = middleOf(layout, end);
    // A nearer row wins over all further ones; beside, a small step down costs little.
    const away = Math.abs(to.y - y) * (alongEdge ? 1e4 : 2) + Math.abs(to.x - x);
    if (away >= best) continue;
    best = away;
    nearest = end;
  }
  return nearest;
}

function endsOf({ edges }: Graph, node: number, step: 'down' | 'up'): number[] {
  return step === 'down'
    ? edges.filter(([from]) => from === node).map(([, to]) => to)
    : edges.filter(([, to]) => to === node).map(([from]) => from);
}

function besideOf(layout: GraphLayout, node: number, right: boolean): number[] {
  const { x, y } = middleOf(layout, node);
  return layout.nodes.flatMap((_, other) => {
    const to = middleOf(layout, other);
    const across = right ? to.x - x : x - to.x;
    return across > 0 && Math.abs(to.y - y) <= BESIDE * across ? [other] : [];
  });
}

function middleOf(layout: GraphLayout, node: number): { x: number; y: number } {
  const { x, y, w, h } = layout.nodes[node];
  return { x: x + w / 2, y: y + h / 2 };
}

/** The lines that the edges of a node run along, on through joints to the nodes at their other ends. */
export function linesOf(layout: GraphLayout, node: number): number[] {
  const found = new Set<number>();
  const follow = (place: number, end: 'from' | 'to') => {
    layout.edges.forEach((line, i) => {
      if (line[end] !== place || found.has(i)) return;
      found.add(i);
      const other = end === 'from' ? line.to : line.from;
      if (other >= layout.nodes.length) follow(other, end);
    });
  };
  follow(node, 'from');
  follow(node, 'to');
  return [...found];
}
