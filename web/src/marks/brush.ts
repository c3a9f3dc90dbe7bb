import { xOf, type Axis } from '../kernel/axis.ts';
import type { Theme } from '../kernel/colour.ts';
import type { Surface } from './surface.ts';

/** A veil outside the selected dumps [from, to): the data inside keep their colours. */
export function drawBrush(
  surface: Surface,
  axis: Axis,
  theme: Theme,
  from: number,
  to: number,
  y0: number,
  y1: number,
): void {
  const left = Math.max(axis.x0, Math.min(axis.x0 + axis.width, xOf(axis, from)));
  const right = Math.max(axis.x0, Math.min(axis.x0 + axis.width, xOf(axis, to)));
  const veil = { fill: theme.veil, alpha: 0.58 };
  surface.rect(axis.x0, y0, left - axis.x0, y1 - y0, veil);
  surface.rect(right, y0, axis.x0 + axis.width - right, y1 - y0, veil);
  for (const x of [left, right]) surface.line([x, y0, x, y1], { stroke: theme.brush, width: 1.5 });
}

export function drawMarkLine(surface: Surface, theme: Theme, x: number, y0: number, y1: number): void {
  surface.line([x, y0, x, y1], { stroke: theme.background, width: 3, alpha: 0.7 });
  surface.line([x, y0, x, y1], { stroke: theme.mark, width: 1.5, dash: [1.5, 3] });
}

/** An outline with a halo, so that it is seen on every colour. */
export function drawOutline(
  surface: Surface,
  theme: Theme,
  x: number,
  y: number,
  w: number,
  h: number,
  stroke: string,
): void {
  surface.frame(x, y, w, h, { stroke: theme.panel, width: 3.6, alpha: 0.9 });
  surface.frame(x, y, w, h, { stroke, width: 1.5 });
}
