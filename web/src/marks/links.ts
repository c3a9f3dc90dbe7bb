import type { Theme } from '../kernel/colour.ts';
import { linkCurve, type Link } from '../kernel/links.ts';
import type { Surface } from './surface.ts';

export interface LinkFrame {
  /** Right edge of the level bars: up to here a link is level. */
  readonly leadX: number;
  /** Where all curves begin, and where they end. */
  readonly x0: number;
  readonly x1: number;
  /** How far each link goes on, level, beyond the end of its curve: to the name of its chart. */
  readonly endX?: (node: number) => number;
}

/** From the level bars to their charts; what is not looked at stays in the background. */
export function drawLinks(surface: Surface, theme: Theme, links: readonly Link[], frame: LinkFrame): void {
  for (const link of links) drawLink(surface, theme, link, frame, 'plain');
}

export function drawLink(
  surface: Surface,
  theme: Theme,
  link: Link,
  frame: LinkFrame,
  style: 'plain' | 'highlighted',
): void {
  const points = pathOf(link, frame);
  if (style === 'plain') {
    surface.line(points, { stroke: theme.barOn, width: 1, alpha: 0.62 });
    return;
  }
  surface.line(points, { stroke: theme.panel, width: 4.6, alpha: 0.9 });
  surface.line(points, { stroke: theme.highlight, width: 2 });
}

/** Level across the bars, then to the common start, then the curve, then level again. */
function pathOf(link: Link, frame: LinkFrame): number[] {
  // In the middle of a pixel, where a level line is sharp; the order of the links stays.
  const [barY, y0, y1] = [link.barY, link.y0, link.y1].map((y) => Math.floor(y) + 0.5);
  const end = Math.max(frame.x1, frame.endX?.(link.node) ?? frame.x1);
  const across = [link.barX, barY, Math.max(link.barX, frame.leadX), barY];
  return [...across, ...linkCurve(frame.x0, y0, frame.x1, y1), end, y1];
}
