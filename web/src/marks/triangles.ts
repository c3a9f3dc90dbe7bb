import type { Glyph } from '../kernel/anomalies.ts';
import type { Theme } from '../kernel/colour.ts';
import type { Surface } from './surface.ts';

const HEIGHT = 6.8;

export function halfWidth(score: number): number {
  return 2.5 + 5 * score;
}

/** Left rule points down, right rule up, both make an hourglass; several in one place carry their number. */
export function drawGlyph(
  surface: Surface,
  theme: Theme,
  glyph: Glyph,
  middle: number,
  fill: string,
  scale = 1,
): void {
  const edge = { stroke: theme.triangleEdge, width: scale < 1 ? 0.8 : 1 };
  const both = glyph.left > 0 && glyph.right > 0;
  const h = (both ? HEIGHT * 0.58 : HEIGHT / 2) * scale;
  const { x } = glyph;
  if (glyph.left > 0) {
    const w = halfWidth(glyph.left) * scale;
    const tip = both ? middle : middle + h;
    surface.polygon([x - w, middle - h, x + w, middle - h, x, tip], { fill }, edge);
  }
  if (glyph.right > 0) {
    const w = halfWidth(glyph.right) * scale;
    const tip = both ? middle : middle - h;
    surface.polygon([x - w, middle + h, x + w, middle + h, x, tip], { fill }, edge);
  }
  if (glyph.members.length > 1 && scale === 1) drawMemberCount(surface, theme, glyph, middle);
}

/** Where a stripe is too thin for a triangle, a tick says that there is an anomaly. */
export function drawThinGlyph(surface: Surface, theme: Theme, glyph: Glyph, y: number, h: number): void {
  surface.rect(glyph.x - 1.5, y, 3, h, { fill: theme.triangleEdge });
  surface.rect(glyph.x - 0.5, y + 0.5, 1, h - 1, { fill: theme.triangle });
}

function drawMemberCount(surface: Surface, theme: Theme, glyph: Glyph, middle: number): void {
  const label = String(glyph.members.length);
  const x = glyph.x + halfWidth(Math.max(glyph.left, glyph.right)) + 1;
  const w = label.length * 5.6 + 4;
  surface.rect(x, middle - 5.5, w, 11, { fill: theme.triangleEdge, radius: 3, alpha: 0.82 });
  surface.text(label, x + w / 2, middle, { size: 9.6, weight: 600, fill: '#ffffff', anchor: 'middle' });
}
