import type { GraphLayout, GraphLine, GraphRect } from './graph_layout.ts';

/**
 * Where exactly do boxes and lines lie, once each has a row and a place in it?
 *
 * 1. The space between two rows grows with how far lines go sideways there: straight chains are close together.
 * 2. A line leaves a box in the middle of its lower edge and enters the next one in the middle of its upper edge. It
 *    passes rows straight down and goes sideways only between them, so it crosses no box and never goes up.
 * 3. What no edge touches is set in rows of its own below the rest.
 */
export interface PlacedPart {
  /** Its middle. */
  readonly x: number;
  readonly row: number;
  readonly w: number;
  readonly h: number;
}

export interface PlacedEdge {
  readonly from: number;
  readonly to: number;
  /** Where it passes the rows between those of its ends, the first one first. */
  readonly xs: readonly number[];
}

export interface PlacedGraph {
  /** Nodes, then joints. A node without edges has no place. */
  readonly parts: readonly (PlacedPart | null)[];
  readonly edges: readonly PlacedEdge[];
  readonly sizes: readonly { readonly w: number; readonly h: number }[];
}

const MARGIN = 24;
const GAP = { least: 16, most: 60, perPixel: 0.14 } as const;
/** Between what has no edges, and above it, where a line of text stands. */
const APART = { gap: 12, above: 44, narrowest: 480 } as const;
const CURVE_STEPS = 26;

interface Row {
  readonly top: number;
  readonly bottom: number;
}

export function routed(placed: PlacedGraph): GraphLayout {
  const rows = rowsOf(placed);
  const bottom = rows.length > 0 ? rows[rows.length - 1].bottom : MARGIN - APART.above;
  const left = leftOf(placed) - MARGIN;
  const width = rightOf(placed) - left + MARGIN;
  const rects = placed.parts.map((part) => part && rectOf(part, rows[part.row], left));
  const apart = setApart(placed, bottom + APART.above, Math.max(width, APART.narrowest));
  const count = placed.sizes.length;
  return {
    nodes: rects.slice(0, count).map((rect, node) => rect ?? (apart.rects.get(node) as GraphRect)),
    joints: rects
      .slice(count)
      .map((rect) => rect as GraphRect)
      .map(({ x, y, w, h }) => ({ x: x + w / 2, y: y + h / 2 })),
    edges: placed.edges.map((edge) => lineOf(edge, rects, rows, placed, left)),
    width: Math.max(width, apart.right + MARGIN),
    height: (apart.rects.size > 0 ? apart.bottom : bottom) + MARGIN,
    apart: apart.rects.size > 0 ? bottom + APART.above : null,
  };
}

function rowsOf({ parts, edges }: PlacedGraph): Row[] {
  const heights: number[] = [];
  for (const part of parts) if (part) heights[part.row] = Math.max(heights[part.row] ?? 0, part.h);
  const sideways = heights.map(() => 0);
  for (const edge of edges) {
    const first = (parts[edge.from] as PlacedPart).row;
    const xs = allXs(edge, parts);
    for (let i = 0; i + 1 < xs.length; i++) {
      sideways[first + i] = Math.max(sideways[first + i], Math.abs(xs[i + 1] - xs[i]));
    }
  }
  let y = MARGIN;
  return heights.map((height, row) => {
    const top = y;
    y += height + Math.round(Math.min(GAP.most, GAP.least + GAP.perPixel * sideways[row]));
    return { top, bottom: top + height };
  });
}

function allXs({ from, to, xs }: PlacedEdge, parts: PlacedGraph['parts']): number[] {
  return [(parts[from] as PlacedPart).x, ...xs, (parts[to] as PlacedPart).x];
}

function leftOf({ parts, edges }: PlacedGraph): number {
  const boxes = parts.map((part) => (part ? part.x - part.w / 2 : Number.POSITIVE_INFINITY));
  const least = Math.min(...boxes, ...edges.flatMap((edge) => edge.xs));
  return Number.isFinite(least) ? least : 0;
}

function rightOf({ parts, edges }: PlacedGraph): number {
  const boxes = parts.map((part) => (part ? part.x + part.w / 2 : Number.NEGATIVE_INFINITY));
  const most = Math.max(...boxes, ...edges.flatMap((edge) => edge.xs));
  return Number.isFinite(most) ? most : 0;
}

function rectOf({ x, w, h }: PlacedPart, row: Row, left: number): GraphRect {
  return { x: x - w / 2 - left, y: (row.top + row.bottom - h) / 2, w, h };
}

function lineOf(
  edge: PlacedEdge,
  rects: readonly (GraphRect | null)[],
  rows: readonly Row[],
  { parts }: PlacedGraph,
  left: number,
): GraphLine {
  const { from, to } = edge;
  const start = rects[from] as GraphRect;
  const end = rects[to] as GraphRect;
  const first = (parts[from] as PlacedPart).row;
  const xs = allXs(edge, parts).map((x) => x - left);
  const points = [xs[0], start.y + start.h];
  for (let i = 0; i + 1 < xs.length; i++) {
    points.push(...curve(xs[i], rows[first + i].bottom, xs[i + 1], rows[first + i + 1].top));
  }
  points.push(xs[xs.length - 1], end.y);
  return { from, to, points };
}

/** From one height to the next below it, beginning and ending straight down: a cubic Bézier curve. */
function curve(x0: number, y0: number, x1: number, y1: number): number[] {
  if (Math.abs(x1 - x0) < 0.5) return [x0, y0, x1, y1];
  const points: number[] = [];
  for (let i = 0; i <= CURVE_STEPS; i++) {
    // Shorter steps at the ends, where it bends.
    const t = (1 - Math.cos((Math.PI * i) / CURVE_STEPS)) / 2;
    const across = t * t * (3 - 2 * t);
    const down = 1.5 * t * (1 - t) + t ** 3;
    points.push(x0 + (x1 - x0) * across, y0 + (y1 - y0) * down);
  }
  return points;
}

function setApart({ parts, sizes }: PlacedGraph, top: number, width: number) {
  const rects = new Map<number, GraphRect>();
  let x = MARGIN;
  let y = top;
  let right = 0;
  let bottom = top;
  sizes.forEach(({ w, h }, node) => {
    if (parts[node]) return;
    if (x > MARGIN && x + w > width - MARGIN) {
      x = MARGIN;
      y = bottom + APART.gap;
    }
    rects.set(node, { x, y, w, h });
    right = Math.max(right, x + w);
    bottom = Math.max(bottom, y + h);
    x += w + APART.gap;
  });
  return { rects, right, bottom };
}
