import type { Glyph } from '../../kernel/anomalies.ts';
import { dumpAt } from '../../kernel/axis.ts';
import { rowAt, type Row, type PixelsRow } from '../../kernel/layout.ts';
import { halfWidth } from '../../marks/triangles.ts';
import { glyphsOf } from './draw_static.ts';
import { AXIS_HEIGHT, HEAD, sampleHeight, screenY, type Scene } from './scene.ts';

/** What lies under a point of the stage. */
export type Area = 'chart' | 'rows' | 'axis' | 'gutter' | 'none';

export interface Hover {
  readonly area: Area;
  readonly dump: number | null;
  readonly row: Row | null;
  /** Position of the hovered sample in its drawn class. */
  readonly position: number | null;
  readonly glyph: Glyph | null;
}

const NOTHING: Hover = { area: 'none', dump: null, row: null, position: null, glyph: null };

export function hitAt(scene: Scene, x: number, y: number): Hover {
  const { axis } = scene;
  if (axis.iterations.length === 0) return NOTHING;
  const inside = x >= axis.x0 && x < axis.x0 + axis.width;
  const dump = inside ? dumpAt(axis, x) : null;
  if (y < HEAD.height) return inside ? { ...NOTHING, area: 'chart', dump } : NOTHING;
  if (y >= scene.axisY) {
    return inside && y < scene.axisY + AXIS_HEIGHT ? { ...NOTHING, area: 'axis', dump } : NOTHING;
  }
  const row = rowAt(scene.layout, y - HEAD.height + scene.scroll);
  const area = inside ? 'rows' : 'gutter';
  if (!row) return { ...NOTHING, area, dump };
  const position = inside && row.kind === 'pixels' ? positionAt(scene, row, y) : null;
  const glyph = inside && row.kind === 'class' ? glyphAt(scene, row.cls, x) : null;
  return { area, dump: glyph ? strongestDump(glyph, dump) : dump, row, position, glyph };
}

function strongestDump(glyph: Glyph, under: number | null): number | null {
  return glyph.members.length === 1 ? glyph.members[0].dump : under;
}

export function positionAt(scene: Scene, row: PixelsRow, y: number): number | null {
  const position = Math.floor(scene.chartTop(row.cls) + (y - screenY(scene, row.y)) / sampleHeight(row));
  return position >= 0 && position < row.samples ? position : null;
}

function glyphAt(scene: Scene, cls: number, x: number): Glyph | null {
  if (!scene.view.anomalies) return null;
  let best: Glyph | null = null;
  for (const glyph of glyphsOf(scene, cls)) {
    const reach = Math.max(6, halfWidth(Math.max(glyph.left, glyph.right)));
    const nearer = best === null || Math.abs(glyph.x - x) < Math.abs(best.x - x);
    if (Math.abs(glyph.x - x) <= reach && nearer) best = glyph;
  }
  return best;
}
