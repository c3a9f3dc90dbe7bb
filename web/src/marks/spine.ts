import type { Theme } from '../kernel/colour.ts';
import type { Spine, SpineBar, SpineRow } from '../kernel/spine.ts';
import { rowRect, type SpineGeometry, type SpineHit } from '../kernel/spine_geometry.ts';
import { drawBadges, type Badge } from './badges.ts';
import { drawOutline } from './brush.ts';
import { drawArcs } from './spine_arcs.ts';
import type { Surface } from './surface.ts';

export interface SpinePicture {
  readonly spine: Spine;
  readonly geometry: SpineGeometry;
  /** Colour of a rectangle: by its kind, or by a value of its layer. */
  readonly fillOf: (row: SpineRow) => string;
  /** An outline, for where these colours come close to that of the background. */
  readonly edge?: string;
  readonly isPale: (layer: number) => boolean;
  /** Is a node's chart shown? */
  readonly isShown: (node: number) => boolean;
  /** How many of what is looked for a layer or a module holds; 0 has no badge. */
  readonly badgeOfLayer?: (layer: number) => number;
  readonly badgeOfNode?: (node: number) => number;
}

const PALE = 0.28;

export function drawSpine(surface: Surface, theme: Theme, picture: SpinePicture): void {
  const { spine, geometry } = picture;
  drawArcs(surface, theme, spine, geometry);
  const x = geometry.x + geometry.width / 2;
  for (const [from, to] of spine.straight) {
    const above = rowRect(spine.rows[from], geometry);
    const below = rowRect(spine.rows[to], geometry);
    surface.line([x, above.y + above.h, x, below.y], { stroke: theme.ink3, width: 1.2 });
  }
  for (const row of spine.rows) drawRow(surface, picture, row);
  for (const bar of spine.bars) drawBar(surface, theme, picture, bar);
}

/** Counts on rectangles and beside level bars; for after the links, which would cross them. */
export function drawSpineBadges(surface: Surface, theme: Theme, picture: SpinePicture): void {
  drawBadges(surface, theme, layerBadges(picture));
  drawBadges(surface, theme, nodeBadges(picture));
}

function drawRow(surface: Surface, picture: SpinePicture, row: SpineRow): void {
  const { geometry, fillOf, isPale, edge } = picture;
  const { x, y, w, h } = rowRect(row, geometry);
  const alpha = row.layer !== null && isPale(row.layer) ? PALE : 1;
  surface.rect(x, y, w, h, { fill: fillOf(row), radius: Math.min(2, h / 3), alpha });
  if (edge) surface.frame(x, y, w, h, { stroke: edge, width: 0.6 });
}

function drawBar(surface: Surface, theme: Theme, picture: SpinePicture, bar: SpineBar): void {
  const { x, width } = picture.spine.columns[bar.column];
  const fill = picture.isShown(bar.node) ? theme.barOn : theme.barOff;
  for (const [top, bottom] of bar.segments) {
    const radius = Math.min(2, (bottom - top) / 3);
    surface.rect(picture.geometry.barsX + x, picture.geometry.y + top, width, bottom - top, { fill, radius });
  }
}

/** On the rectangles. */
function layerBadges({ spine, geometry, badgeOfLayer }: SpinePicture): Badge[] {
  if (!badgeOfLayer) return [];
  return spine.rows.flatMap((row) => {
    const count = row.layer === null ? 0 : badgeOfLayer(row.layer);
    if (count <= 0) return [];
    const y = geometry.y + row.y + row.h / 2;
    return { count, x: geometry.x + geometry.width / 2, y, anchor: 'middle' };
  });
}

/** Beside the level bars. */
function nodeBadges({ spine, geometry, badgeOfNode }: SpinePicture): Badge[] {
  if (!badgeOfNode) return [];
  const x = geometry.barsX + spine.barsWidth + 3;
  return spine.bars.flatMap((bar) => {
    const count = badgeOfNode(bar.node);
    const [top, bottom] = bar.segments[0];
    return count > 0 ? { count, x, y: geometry.y + (top + bottom) / 2, anchor: 'start' } : [];
  });
}

/** An outline around what is hovered or has the focus. */
export function drawSpineHighlight(
  surface: Surface,
  theme: Theme,
  spine: Spine,
  geometry: SpineGeometry,
  hit: SpineHit,
): void {
  if (hit.kind === 'row') {
    const { x, y, w, h } = rowRect(spine.rows[hit.row], geometry);
    drawOutline(surface, theme, x - 1, y - 1, w + 2, h + 2, theme.highlight);
    return;
  }
  const bar = spine.barOf.get(hit.node);
  if (!bar) return;
  const { x, width } = spine.columns[bar.column];
  for (const [top, bottom] of bar.segments) {
    const left = geometry.barsX + x - 1;
    drawOutline(surface, theme, left, geometry.y + top - 1, width + 2, bottom - top + 2, theme.highlight);
  }
}
