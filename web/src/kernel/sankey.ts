/**
 * How are flows between two lists of nodes drawn as bands?
 *
 * 1. Nodes at either side are sorted by what is `first`, then by their sizes; those beyond `most` are one node, `rest`.
 * 2. A node is as high as what flows through it; nodes are `gap` apart.
 * 3. Bands leave a node in the order of the nodes that they lead to, so that few cross.
 */
export interface Flow {
  readonly source: number;
  readonly target: number;
  readonly count: number;
}

export interface SankeyNode {
  readonly label: number;
  readonly count: number;
  /** How many labels it stands for. */
  readonly members: number;
  readonly y: number;
  readonly h: number;
}

export interface SankeyBand extends Flow {
  readonly y0: number;
  readonly y1: number;
  readonly h: number;
}

export interface Sankey {
  readonly sources: readonly SankeyNode[];
  readonly targets: readonly SankeyNode[];
  readonly bands: readonly SankeyBand[];
}

export interface SankeyRoom {
  readonly height: number;
  readonly gap: number;
  readonly most: number;
  readonly first: number;
  /** The label of the node that stands for the others. */
  readonly rest: number;
}

export function sankeyOf(flows: readonly Flow[], room: SankeyRoom): Sankey {
  const sides = (['source', 'target'] as const).map((side) => merged(flows, side, room));
  const together = new Map<string, Flow>();
  for (const { source, target, count } of flows) {
    const [from, to] = [sides[0].nodeOf(source), sides[1].nodeOf(target)];
    const held = together.get(`${from} ${to}`);
    together.set(`${from} ${to}`, { source: from, target: to, count: count + (held?.count ?? 0) });
  }
  const total = flows.reduce((sum, flow) => sum + flow.count, 0);
  const gaps = room.gap * (Math.max(...sides.map(({ nodes }) => nodes.length), 1) - 1);
  const scale = total > 0 ? Math.max(0, room.height - gaps) / total : 0;
  const [sources, targets] = sides.map(({ nodes }) => stacked(nodes, scale, room));
  const place = (nodes: readonly SankeyNode[], label: number) => nodes.findIndex((n) => n.label === label);
  const bands = [...together.values()].sort(
    (a, b) =>
      place(sources, a.source) - place(sources, b.source) ||
      place(targets, a.target) - place(targets, b.target),
  );
  const filled = [new Map<number, number>(), new Map<number, number>()];
  const take = (side: 0 | 1, node: SankeyNode, h: number) => {
    const at = filled[side].get(node.label) ?? node.y;
    filled[side].set(node.label, at + h);
    return at;
  };
  return {
    sources,
    targets,
    bands: bands.map((flow) => {
      const h = flow.count * scale;
      const y0 = take(0, sources[place(sources, flow.source)], h);
      return { ...flow, h, y0, y1: take(1, targets[place(targets, flow.target)], h) };
    }),
  };
}

type Sized = Pick<SankeyNode, 'label' | 'count' | 'members'>;

function merged(flows: readonly Flow[], side: 'source' | 'target', { first, most, rest }: SankeyRoom) {
  const sizes = new Map<number, number>();
  for (const flow of flows) sizes.set(flow[side], (sizes.get(flow[side]) ?? 0) + flow.count);
  const all = [...sizes]
    .map(([label, count]) => ({ label, count, members: 1 }))
    .sort(
      (a, b) =>
        Number(b.label === first) - Number(a.label === first) || b.count - a.count || a.label - b.label,
    );
  const kept: Sized[] = all.length <= most ? all : all.slice(0, most - 1);
  const left = all.slice(kept.length);
  const nodes = left.length
    ? [...kept, { label: rest, count: left.reduce((s, n) => s + n.count, 0), members: left.length }]
    : kept;
  const known = new Set(kept.map(({ label }) => label));
  return { nodes, nodeOf: (label: number) => (known.has(label) ? label : rest) };
}

function stacked(nodes: readonly Sized[], scale: number, { gap }: SankeyRoom): SankeyNode[] {
  let y = 0;
  return nodes.map((node) => {
    const placed = { ...node, y, h: node.count * scale };
    y += placed.h + gap;
    return placed;
  });
}
