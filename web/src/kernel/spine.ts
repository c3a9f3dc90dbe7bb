import type { Network, NodeKind } from './network.ts';

/**
 * Where is every node of the network drawn? One row a node, from top to bottom in the order in which data reach it.
 *
 * 1. Rows share the height; sums and concatenations take less. A row is neither so tall that a small network fills the
 *    screen nor so thin that it cannot be seen: then the spine is taller than the screen, and scrolls.
 * 2. An edge between neighbouring rows is straight. Any other is an arc at the left, shorter arcs further inside; two
 *    arcs in one lane never overlap. Arcs that find no free lane share the outermost one (`bundled`).
 * 3. At the right each module has a level bar along its rows, one column a level, the modules outermost. What has no
 *    weights belongs to the bar that it lies in; the layers of others break it into segments.
 */
export interface SpineRow {
  /** Index in the graph; -1 for a layer that the graph does not know. */
  readonly graphNode: number;
  readonly kind: NodeKind;
  readonly label: string;
  readonly layer: number | null;
  readonly y: number;
  readonly h: number;
}

/** `from` and `to` are rows. */
export interface SpineArc {
  readonly from: number;
  readonly to: number;
  /** 0 is the innermost. */
  readonly lane: number;
  readonly bundled: boolean;
}

export interface SpineBar {
  readonly node: number;
  /** 0 is the innermost: the deepest level. */
  readonly column: number;
  /** Its first row. */
  readonly first: number;
  /** Upper and lower ends. */
  readonly segments: readonly (readonly [number, number])[];
}

export interface SpineColumn {
  readonly x: number;
  readonly width: number;
}

export interface Spine {
  readonly rows: readonly SpineRow[];
  readonly straight: readonly (readonly [number, number])[];
  readonly arcs: readonly SpineArc[];
  readonly bars: readonly SpineBar[];
  readonly barOf: ReadonlyMap<number, SpineBar>;
  readonly columns: readonly SpineColumn[];
  readonly barsWidth: number;
  /** How many lanes the arcs take. */
  readonly lanes: number;
  readonly height: number;
  /** The height at which a link leaves a node's bar. */
  anchorOf(node: number): number;
}

const TALLEST_ROW = 16;
const THINNEST_ROW = 3.2;
const LIGHT_ROW = 0.6;
export const MOST_LANES = 6;
const BAR_GAP = 1.5;
const COLUMN_GAP = 2;
const COLUMN_WIDTHS = { layer: 7, block: 9, module: 11, many: 5, manyAbove: 5 } as const;

export function layOutSpine(network: Network, height: number): Spine {
  const rows = placeRows(rowsOf(network), height);
  const { straight, arcs } = network.graph.nodes.length > 0 ? edgesOf(network) : chainOf(rows.length);
  const lanes = arcs.reduce((most, arc) => Math.max(most, arc.lane + 1), 0);
  const depth = network.nodes.reduce((most, node) => Math.max(most, node.depth), 0);
  const columns = columnsOf(depth);
  const bars = barsOf(network, rows, depth);
  const barOf = new Map(bars.map((bar) => [bar.node, bar]));
  const last = columns[columns.length - 1];
  return {
    rows,
    straight,
    arcs,
    bars,
    barOf,
    columns,
    barsWidth: last ? last.x + last.width : 0,
    lanes,
    height: rows.length > 0 ? rows[rows.length - 1].y + rows[rows.length - 1].h : 0,
    anchorOf: (node) => {
      const bar = barOf.get(node);
      if (!bar) return 0;
      const [top, bottom] = bar.segments[0];
      // Above the middle of its first row, so that a module's link never leaves below that of its first layer.
      const isLeaf = network.nodes[node].children.length === 0;
      return isLeaf ? (top + bottom) / 2 : rows[bar.first].y + rows[bar.first].h * 0.25;
    },
  };
}

/** The same spine in less height, where there is no room to scroll. */
export function squeezed(spine: Spine, height: number): Spine {
  if (spine.height <= height + 1e-6) return spine;
  const scale = height / spine.height;
  const bars = spine.bars.map((bar) => ({
    ...bar,
    segments: bar.segments.map(([top, bottom]) => [top * scale, bottom * scale] as const),
  }));
  return {
    ...spine,
    rows: spine.rows.map((row) => ({ ...row, y: row.y * scale, h: row.h * scale })),
    bars,
    barOf: new Map(bars.map((bar) => [bar.node, bar])),
    height,
    anchorOf: (node) => spine.anchorOf(node) * scale,
  };
}

type Unplaced = Omit<SpineRow, 'y' | 'h'>;

/** The nodes of the graph, then the layers that it does not know. */
function rowsOf(network: Network): Unplaced[] {
  const rows: Unplaced[] = network.graph.nodes.map(({ id, kind, label, layer }) => ({
    graphNode: id,
    kind,
    label,
    layer,
  }));
  const known = new Set(rows.map((row) => row.layer));
  network.layers.forEach(({ name, kind }, layer) => {
    if (known.has(layer)) return;
    rows.push({ graphNode: -1, kind: kind.startsWith('conv') ? 'conv' : 'linear', label: name, layer });
  });
  return rows;
}

function placeRows(rows: readonly Unplaced[], height: number): SpineRow[] {
  const weightOf = (row: Unplaced) => (row.kind === 'add' || row.kind === 'concat' ? LIGHT_ROW : 1);
  const weight = rows.reduce((sum, row) => sum + weightOf(row), 0);
  const unit = Math.min(TALLEST_ROW, Math.max(THINNEST_ROW, height / weight));
  let y = 0;
  return rows.map((row) => {
    const placed = { ...row, y, h: weightOf(row) * unit };
    y += placed.h;
    return placed;
  });
}

interface Edges {
  readonly straight: readonly (readonly [number, number])[];
  readonly arcs: readonly SpineArc[];
}

function chainOf(rows: number): Edges {
  const straight = Array.from({ length: Math.max(0, rows - 1) }, (_, i) => [i, i + 1] as const);
  return { straight, arcs: [] };
}

/** A row of the graph has the node's own number. */
function edgesOf(network: Network): Edges {
  const { edges } = network.graph;
  const long = edges.filter(([from, to]) => to - from !== 1);
  return { straight: edges.filter(([from, to]) => to - from === 1), arcs: assignLanes(long) };
}

/** Interval colouring, shortest first: an arc around another one always comes to lie outside it. */
function assignLanes(edges: Edges['straight']): SpineArc[] {
  const lanes: SpineArc[][] = Array.from({ length: MOST_LANES }, () => []);
  const byLength = [...edges].sort((a, b) => a[1] - a[0] - (b[1] - b[0]) || a[0] - b[0]);
  return byLength.map(([from, to]) => {
    const free = lanes.findIndex((lane) => lane.every((arc) => arc.to <= from || arc.from >= to));
    if (free < 0) return { from, to, lane: MOST_LANES - 1, bundled: true };
    const arc = { from, to, lane: free, bundled: false };
    lanes[free].push(arc);
    return arc;
  });
}

function columnsOf(depth: number): SpineColumn[] {
  const { layer, block, module, many, manyAbove } = COLUMN_WIDTHS;
  let x = 0;
  return Array.from({ length: depth }, (_, column) => {
    const own = column === depth - 1 ? module : column === 0 ? layer : block;
    const placed = { x, width: depth > manyAbove ? many : own };
    x += placed.width + COLUMN_GAP;
    return placed;
  });
}

function barsOf(network: Network, rows: readonly SpineRow[], depth: number): SpineBar[] {
  const rowOfLayer = new Int32Array(network.layers.length).fill(-1);
  rows.forEach((row, index) => {
    if (row.layer !== null) rowOfLayer[row.layer] = index;
  });
  const weighted = network.nodes.slice(1).filter((node) => node.layers.length > 0);
  return weighted.map((node) => {
    const own = node.layers.map((layer) => rowOfLayer[layer]).sort((a, b) => a - b);
    return {
      node: node.index,
      column: depth - node.depth,
      first: own[0],
      segments: segmentsOf(own, rows),
    };
  });
}

function segmentsOf(own: readonly number[], rows: readonly SpineRow[]): (readonly [number, number])[] {
  const segments: [number, number][] = [];
  let before = Number.NEGATIVE_INFINITY;
  for (const row of own) {
    const gap = Math.min(BAR_GAP, rows[row].h * 0.3) / 2;
    const bottom = rows[row].y + rows[row].h - gap;
    const isBroken = before < 0 || rows.slice(before + 1, row).some((between) => between.layer !== null);
    if (isBroken) segments.push([rows[row].y + gap, bottom]);
    else segments[segments.length - 1][1] = bottom;
    before = row;
  }
  return segments;
}

/** By first row, then from the outside in: links to charts in this order never cross. */
export function chartOrder(spine: Spine, shown: readonly number[]): number[] {
  const place = (node: number) => spine.barOf.get(node)?.first ?? -1;
  const column = (node: number) => spine.barOf.get(node)?.column ?? spine.columns.length;
  return [...shown].sort((a, b) => place(a) - place(b) || column(b) - column(a) || a - b);
}
