import type { GraphLayout } from './graph_layout.ts';
import type { Network } from './network.ts';

/**
 * From where to where does each module reach, from top to bottom of a graph? Names in boxes are short; which block a
 * layer belongs to is read beside it. Modules that run beside each other get lanes of their own.
 */
export interface ModuleSpan {
  readonly name: string;
  readonly top: number;
  readonly bottom: number;
  readonly lane: number;
}

/** A single layer has its name in its box. */
const FEWEST_LAYERS = 2;

export function moduleSpans(
  { nodes, graph }: Network,
  modules: readonly number[],
  layout: GraphLayout,
): ModuleSpan[] {
  const moduleOf = new Map<number, number>();
  for (const node of modules) {
    if (nodes[node].layers.length < FEWEST_LAYERS) continue;
    for (const layer of nodes[node].layers) moduleOf.set(layer, node);
  }
  const reaches = new Map<number, { top: number; bottom: number }>();
  graph.nodes.forEach(({ layer }, place) => {
    const node = layer === null ? undefined : moduleOf.get(layer);
    const { y, h } = layout.nodes[place];
    if (node === undefined || (layout.apart !== null && y >= layout.apart)) return;
    const held = reaches.get(node);
    reaches.set(node, { top: Math.min(held?.top ?? y, y), bottom: Math.max(held?.bottom ?? y, y + h) });
  });
  const laneEnds: number[] = [];
  return [...reaches]
    .sort(([, a], [, b]) => a.top - b.top)
    .map(([node, { top, bottom }]) => {
      const free = laneEnds.findIndex((end) => end <= top);
      const lane = free < 0 ? laneEnds.length : free;
      laneEnds[lane] = bottom;
      return { name: nodes[node].name, top, bottom, lane };
    });
}
