import type { Network } from './network.ts';

/**
 * What does the graph of a network show, and how large is it? One box a node, with a name that can be read where the
 * whole one is too long; the layout (positions of boxes, lines of edges) is that of `graph_joints` and `graph_routes`.
 */
export interface GraphBox {
  /** The last parts of a layer's name, or what a node without weights does. */
  readonly name: string;
  /** Size of the kernel and number of filters; empty where there are no weights. */
  readonly detail: string;
  readonly w: number;
  readonly h: number;
}

/** What a layout is made of; `edges` lead from a box to a later one. */
export interface GraphShape {
  readonly sizes: readonly { readonly w: number; readonly h: number }[];
  readonly edges: readonly (readonly [number, number])[];
}

/** `x` and `y` are the upper left corner. */
export interface GraphRect {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

/** A piece of an edge, from above to below; `from` and `to` are nodes or, from `nodes.length` on, joints. */
export interface GraphLine {
  readonly from: number;
  readonly to: number;
  /** x, y pairs; y never decreases. */
  readonly points: readonly number[];
}

export interface GraphLayout {
  /** In the order of the graph's nodes. */
  readonly nodes: readonly GraphRect[];
  /** Centres of the points at which lines come together and part again. */
  readonly joints: readonly { readonly x: number; readonly y: number }[];
  readonly edges: readonly GraphLine[];
  readonly width: number;
  readonly height: number;
  /** The height below which nodes lie that no edge touches; null if there are none. */
  readonly apart: number | null;
}

/** The size of the letters in a box; all lengths are for a zoom of 1. */
export const LABEL_SIZE = 10.5;
export const BOX_HEIGHT = 22;
export const BOX_PADDING = 8;
/** Between the name, at the left, and the detail, at the right. */
const DETAIL_GAP = 9;
const NARROWEST_BOX = 44;
const LONGEST_NAME = 24;

export function boxesOf(network: Network): GraphBox[] {
  return network.graph.nodes.map(({ label, layer }) => {
    const of = layer === null ? null : network.layers[layer];
    const name = of ? readableName(of.name) : label;
    const detail = of ? weightsText(of.kind, of.shape) : '';
    const words = labelWidth(name) + (detail ? DETAIL_GAP + labelWidth(detail) : 0);
    return { name, detail, w: Math.ceil(Math.max(NARROWEST_BOX, words + 2 * BOX_PADDING)), h: BOX_HEIGHT };
  });
}

export function shapeOf(network: Network, boxes: readonly GraphBox[]): GraphShape {
  return { sizes: boxes.map(({ w, h }) => ({ w, h })), edges: network.graph.edges.map(([a, b]) => [a, b]) };
}

/** As many of the last parts of a dotted name as stay readable; none of them begins with a bare number. */
export function readableName(name: string): string {
  if (name.length <= LONGEST_NAME) return name;
  const parts = name.split('.');
  let best = parts[parts.length - 1];
  for (let first = parts.length - 1; first >= 0; first--) {
    const tail = parts.slice(first).join('.');
    if (tail.length > LONGEST_NAME && !isNumber(best)) break;
    if (!isNumber(parts[first])) best = tail;
  }
  return best;
}

function isNumber(part: string): boolean {
  return /^\d+$/.test(part);
}

/** `3×3, 64` for a convolution with 64 filters, `512 → 10` for what takes 512 numbers to 10. */
export function weightsText(kind: string, shape: readonly number[]): string {
  const [filters, inputs, ...kernel] = shape;
  if (kind.startsWith('conv') && kernel.length > 0) {
    const outputs = kind.startsWith('conv_transpose') ? inputs : filters;
    return `${kernel.join('×')}, ${outputs}`;
  }
  return kind === 'linear' ? `${inputs} → ${filters}` : shape.join('×');
}

/** Widths of letters as shares of their size, in Inter, semi-bold; within 4 % for names of layers. */
const LETTERS: readonly (readonly [RegExp, number])[] = [
  [/[ijlI.,: ']/, 0.27],
  [/[frt()_]/, 0.41],
  [/[mwMW→]/, 0.93],
  [/[A-Z]/, 0.71],
  [/[\d×-]/, 0.65],
];
const OTHER_LETTER = 0.6;

/** A drawn text could be measured, but not where there is no page: in a worker and in tests. */
export function labelWidth(text: string): number {
  const shares = [...text].map((letter) => LETTERS.find(([like]) => like.test(letter))?.[1] ?? OTHER_LETTER);
  return LABEL_SIZE * shares.reduce((sum, share) => sum + share, 0);
}

const UNFOLLOWED = /^module names; no forward pass could be followed \((.*)\)$/;

/** Why there is no graph to draw, as the recording says; null where there is one. */
export function missingGraph(network: Network): { readonly what: string; readonly why: string } | null {
  if (network.graph.nodes.length > 0) return null;
  const what = 'How data flows through this network is not known.';
  const reason = UNFOLLOWED.exec(network.source)?.[1];
  if (reason !== undefined) return { what, why: `No forward pass could be followed: ${reason}` };
  if (network.source !== 'module names') return { what, why: `Source: ${network.source}.` };
  return {
    what,
    why: 'No forward pass was followed: its layers are known by the names of their modules alone.',
  };
}
