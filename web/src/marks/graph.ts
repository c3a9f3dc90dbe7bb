import type { Theme } from '../kernel/colour.ts';
import { inkOn } from '../kernel/contrast.ts';
import { rectOnScreen, type Camera } from '../kernel/graph_camera.ts';
import {
  BOX_PADDING,
  LABEL_SIZE,
  type GraphBox,
  type GraphLayout,
  type GraphLine,
} from '../kernel/graph_layout.ts';
import { linesOf } from '../kernel/graph_steps.ts';
import type { Surface } from './surface.ts';

export interface GraphPicture {
  readonly layout: GraphLayout;
  readonly boxes: readonly GraphBox[];
  readonly camera: Camera;
  /** What of it is drawn, from the upper left corner. */
  readonly width: number;
  readonly height: number;
  readonly fillOf: (node: number) => string;
  /** Boxes have an edge, where their fill may be that of the ground. */
  readonly edged: boolean;
  readonly isPale: (node: number) => boolean;
  /** How many of what is looked for it holds; 0 has no badge. */
  readonly countOf: (node: number) => number;
}

const PALE = 0.28;
/** Words on a box are in that of these two which is read better; a lighter black would be too light on some. */
export const INKS = ['#ffffff', '#000000'] as const;
/** Smaller text is left out. */
const SMALLEST_TEXT = 5;
const RADIUS = 3.5;
const JOINT_RADIUS = 2.6;
const EDGE = 0.75;

export function drawGraph(surface: Surface, theme: Theme, picture: GraphPicture): void {
  const { layout, camera, boxes } = picture;
  const style = { stroke: theme.ink3, width: lineWidth(camera), alpha: 0.75 };
  for (const line of layout.edges) {
    if (isSeen(picture, line)) surface.line(onScreen(line.points, camera), style);
  }
  for (const joint of layout.joints) drawJoint(surface, joint, camera, theme.ink3);
  boxes.forEach((box, node) => drawBox(surface, theme, picture, box, node));
  if (layout.apart !== null) {
    const y = (layout.apart - 12) * camera.scale + camera.y;
    const words = { size: LABEL_SIZE * camera.scale, fill: theme.ink2 };
    surface.text(
      'Not reached by the forward pass',
      layout.nodes[firstApart(layout)].x * camera.scale + camera.x,
      y,
      words,
    );
  }
}

/** The edges of a node, and its outline. */
export function drawGraphHighlight(
  surface: Surface,
  theme: Theme,
  picture: GraphPicture,
  node: number,
): void {
  const { layout, camera } = picture;
  const width = lineWidth(camera) + 1.2;
  const lines = linesOf(layout, node).map((line) => layout.edges[line]);
  for (const line of lines) surface.line(onScreen(line.points, camera), { stroke: theme.highlight, width });
  for (const { from, to } of lines) {
    for (const place of [from, to]) {
      const joint = layout.joints[place - layout.nodes.length];
      if (joint) drawJoint(surface, joint, camera, theme.highlight);
    }
  }
  for (const place of new Set(lines.flatMap(({ from, to }) => [from, to]))) {
    if (place < layout.nodes.length && place !== node) drawOutlined(surface, theme, picture, place, 1.5);
  }
  drawOutlined(surface, theme, picture, node, 2.5);
}

function drawOutlined(
  surface: Surface,
  theme: Theme,
  picture: GraphPicture,
  node: number,
  width: number,
): void {
  const { x, y, w, h } = rectOnScreen(picture.layout.nodes[node], picture.camera);
  const radius = RADIUS * picture.camera.scale + width;
  const box = (out: number, fill: string) =>
    surface.rect(x - out, y - out, w + 2 * out, h + 2 * out, { fill, radius });
  box(EDGE + width + 1.2, theme.panel);
  box(EDGE + width, theme.highlight);
  drawBox(surface, theme, picture, picture.boxes[node], node);
}

function drawBox(surface: Surface, theme: Theme, picture: GraphPicture, box: GraphBox, node: number): void {
  const { camera } = picture;
  const { x, y, w, h } = rectOnScreen(picture.layout.nodes[node], camera);
  if (y + h < 0 || y > picture.height || x + w < 0 || x > picture.width) return;
  const fill = picture.fillOf(node);
  const pale = picture.isPale(node);
  const radius = RADIUS * camera.scale;
  if (picture.edged || pale)
    surface.rect(x - EDGE, y - EDGE, w + 2 * EDGE, h + 2 * EDGE, { fill: theme.ink3, radius });
  if (pale) surface.rect(x, y, w, h, { fill: theme.background, radius });
  surface.rect(x, y, w, h, { fill, radius, alpha: pale ? PALE : 1 });
  const size = LABEL_SIZE * camera.scale;
  if (size < SMALLEST_TEXT) return;
  const ink = pale ? theme.ink2 : inkOn(fill, INKS);
  const words = { size, fill: ink };
  const middle = y + h / 2;
  const padding = BOX_PADDING * camera.scale;
  if (box.detail) {
    surface.text(box.name, x + padding, middle, { ...words, weight: 600 });
    surface.text(box.detail, x + w - padding, middle, { ...words, anchor: 'end' });
  } else surface.text(box.name, x + w / 2, middle, { ...words, weight: 600, anchor: 'middle' });
  const count = picture.countOf(node);
  if (count > 0) drawCount(surface, theme, String(count), x + w, y, camera.scale);
}

/** On the upper right corner. */
function drawCount(surface: Surface, theme: Theme, text: string, x: number, y: number, scale: number): void {
  const h = 13 * scale;
  const w = (text.length * 6.4 + 8) * scale;
  surface.rect(x - w / 2 - 1, y - h / 2 - 1, w + 2, h + 2, { fill: theme.ink3, radius: h / 2 + 1 });
  surface.rect(x - w / 2, y - h / 2, w, h, { fill: theme.panel, radius: h / 2 });
  surface.text(text, x, y, { size: 9.6 * scale, weight: 600, fill: theme.ink, anchor: 'middle' });
}

function drawJoint(
  surface: Surface,
  { x, y }: { readonly x: number; readonly y: number },
  camera: Camera,
  fill: string,
): void {
  const r = JOINT_RADIUS * camera.scale;
  const left = x * camera.scale + camera.x - r;
  surface.rect(left, y * camera.scale + camera.y - r, 2 * r, 2 * r, { fill, radius: r });
}

function isSeen({ camera, height }: GraphPicture, { points }: GraphLine): boolean {
  const top = points[1] * camera.scale + camera.y;
  const bottom = points[points.length - 1] * camera.scale + camera.y;
  return bottom >= 0 && top <= height;
}

function onScreen(points: readonly number[], { scale, x, y }: Camera): number[] {
  return points.map((value, i) => value * scale + (i % 2 === 0 ? x : y));
}

function lineWidth({ scale }: Camera): number {
  return Math.max(0.6, Math.min(2, 1.2 * scale));
}

function firstApart(layout: GraphLayout): number {
  return layout.nodes.findIndex((node) => node.y >= (layout.apart as number));
}
