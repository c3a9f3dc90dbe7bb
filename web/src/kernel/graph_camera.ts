import { LABEL_SIZE, type GraphLayout, type GraphRect } from './graph_layout.ts';

/** Which part of a graph is shown, and how large? A point of the graph lies at `scale` · its place + (`x`, `y`). */
export interface Camera {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

export interface Extent2d {
  readonly width: number;
  readonly height: number;
}

const SMALLEST_TEXT = 8;
export const READABLE = SMALLEST_TEXT / LABEL_SIZE;
const LARGEST_FIT = 1.25;
const LARGEST = 4;
/** This much of the graph stays in the window however far it is dragged. */
const KEPT = 80;
/** A node that is brought into view stays this far from the edges, so that what follows it is seen. */
const AROUND = 88;

/** The whole graph, in the middle. */
export function fitted(graph: Extent2d, window: Extent2d): Camera {
  const scale = Math.min(LARGEST_FIT, window.width / graph.width, window.height / graph.height);
  return {
    scale,
    x: (window.width - graph.width * scale) / 2,
    y: (window.height - graph.height * scale) / 2,
  };
}

/** What is seen first: the whole graph if its text can be read, else its upper part, as wide as the window allows. */
export function opening(graph: GraphLayout, window: Extent2d): Camera {
  const whole = fitted(graph, window);
  if (whole.scale >= READABLE) return whole;
  const scale = Math.max(READABLE, Math.min(1, window.width / graph.width));
  const [first] = graph.nodes;
  const fits = graph.width * scale <= window.width;
  const middle = fits ? graph.width / 2 : first.x + first.w / 2;
  return kept({ scale, x: window.width / 2 - middle * scale, y: 0 }, graph, window);
}

/** Zoomed around a point of the window, which stays where it is. */
export function zoomed(
  camera: Camera,
  factor: number,
  at: readonly [number, number],
  graph: Extent2d,
  window: Extent2d,
): Camera {
  const least = Math.min(READABLE, fitted(graph, window).scale) * 0.8;
  const scale = Math.max(least, Math.min(LARGEST, camera.scale * factor));
  const by = scale / camera.scale;
  const next = { scale, x: at[0] - (at[0] - camera.x) * by, y: at[1] - (at[1] - camera.y) * by };
  return kept(next, graph, window);
}

/** Not further away than that some of the graph is still seen. */
export function kept({ scale, x, y }: Camera, graph: Extent2d, window: Extent2d): Camera {
  return {
    scale,
    x: Math.max(KEPT - graph.width * scale, Math.min(window.width - KEPT, x)),
    y: Math.max(KEPT - graph.height * scale, Math.min(window.height - KEPT, y)),
  };
}

/** Moved no further than it takes to see a node and what is next to it. */
export function revealing(camera: Camera, node: GraphRect, graph: Extent2d, window: Extent2d): Camera {
  const { scale } = camera;
  return {
    scale,
    x: into(camera.x, node.x * scale, node.w * scale, graph.width * scale, window.width),
    y: into(camera.y, node.y * scale, node.h * scale, graph.height * scale, window.height),
  };
}

/** The offset at which [from, from + length) of `whole` is seen in `room`; beyond the ends there is nothing to see. */
function into(offset: number, from: number, length: number, whole: number, room: number): number {
  const around = Math.max(0, Math.min(AROUND, (room - length) / 2));
  const before = Math.min(around, from);
  const after = Math.min(around, whole - from - length);
  if (offset + from < before) return before - from;
  return Math.min(offset, room - after - from - length);
}

export function rectOnScreen({ x, y, w, h }: GraphRect, camera: Camera): GraphRect {
  const { scale } = camera;
  return { x: x * scale + camera.x, y: y * scale + camera.y, w: w * scale, h: h * scale };
}

/** The node under a point of the window, or null; a little beside it counts. */
export function nodeAt(graph: GraphLayout, camera: Camera, x: number, y: number): number | null {
  const reach = 3;
  const found = graph.nodes.findIndex((node) => {
    const rect = rectOnScreen(node, camera);
    const inX = x >= rect.x - reach && x < rect.x + rect.w + reach;
    return inX && y >= rect.y - reach && y < rect.y + rect.h + reach;
  });
  return found < 0 ? null : found;
}
