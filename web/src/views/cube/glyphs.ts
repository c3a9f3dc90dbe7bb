import { mergeGlyphs, type Anomaly, type Glyph } from '../../kernel/anomalies.ts';
import { apply, pitches, type Affine } from '../../kernel/affine.ts';
import { faceMatrix, isShown } from '../../kernel/cube_geometry.ts';
import type { ClassSpan } from '../../kernel/correlation_model.ts';
import { halfWidth } from '../../marks/triangles.ts';
import type { Scene } from './scene.ts';

/** Where do the triangles of anomaly iterations stand on the top face, and which one lies under a point? */
export interface PlacedGlyph {
  readonly glyph: Glyph;
  readonly cls: number;
  /** The columns that it stands for. */
  readonly columns: readonly number[];
  readonly x: number;
  readonly y: number;
  /** Thin stripes have small triangles. */
  readonly scale: number;
}

const FULL_STRIPE = 7;
const LEAST_SCALE = 0.55;
/** How far from its middle a triangle is meant: up and down, and at least to either side. */
const REACH = 4.5;
const LEAST_REACH = 3;

type Placeable = Omit<Scene, 'layerLabels' | 'classLabels' | 'glyphs'>;

/** From the farthest class to the nearest, so that nearer triangles lie over those behind. */
export function glyphsOf(scene: Placeable): PlacedGlyph[] {
  const { placement, sizes, model } = scene;
  if (!isShown(placement, 'top')) return [];
  const matrix = faceMatrix(placement, 'top', sizes);
  return model.classes.flatMap((span) => glyphsOfClass(scene, span, matrix)).reverse();
}

function glyphsOfClass(scene: Placeable, span: ClassSpan, matrix: Affine): PlacedGlyph[] {
  const { zoom, threshold, sizes } = scene;
  const [dumpPixels, unitPixels] = pitches(matrix);
  const scale = Math.max(LEAST_SCALE, Math.min(1, (span.width * unitPixels) / FULL_STRIPE));
  const y = sizes.columns - span.x - span.width / 2;
  const along = (dump: number) => (dump + 0.5 - zoom[0]) * dumpPixels;
  const shown = anomaliesOf(scene, span).filter(({ dump }) => dump >= Math.floor(zoom[0]) && dump < zoom[1]);
  return mergeGlyphs(shown, along, threshold).map((glyph) => {
    const [sx, sy] = apply(matrix, glyph.x / dumpPixels, y);
    const columns = glyph.members.map(({ dump }) => columnOf(scene, span, dump));
    return { glyph, cls: span.cls, columns, x: sx, y: sy, scale };
  });
}

/** The anomaly iterations of a class, each with the scores of the rules that are asked about. */
function anomaliesOf({ model, rule }: Placeable, { cls, first, count }: ClassSpan): Anomaly[] {
  const { columnDump, columnLeft, columnRight } = model.table;
  return Array.from({ length: count }, (_, i) => ({
    cls,
    dump: columnDump[first + i],
    left: rule === 'right' ? 0 : columnLeft[first + i],
    right: rule === 'left' ? 0 : columnRight[first + i],
    pending: 0,
  }));
}

function columnOf({ model }: Placeable, { first, count }: ClassSpan, dump: number): number {
  return model.table.columnDump.subarray(first, first + count).indexOf(dump) + first;
}

export interface GlyphHit {
  readonly cls: number;
  readonly column: number;
  readonly dump: number;
}

/** The triangle under a point; of several in one, the strongest, where it stands. */
export function glyphAt(scene: Scene, x: number, y: number): GlyphHit | null {
  let best: PlacedGlyph | null = null;
  let nearest = Number.POSITIVE_INFINITY;
  for (const placed of scene.glyphs) {
    const { glyph, scale } = placed;
    const wide = Math.max(LEAST_REACH, halfWidth(Math.max(glyph.left, glyph.right)) * scale);
    if (Math.abs(placed.x - x) > wide || Math.abs(placed.y - y) > REACH * scale) continue;
    const away = Math.hypot(placed.x - x, placed.y - y);
    if (away >= nearest) continue;
    best = placed;
    nearest = away;
  }
  if (!best) return null;
  const scores = best.columns.map((column) => scoreOf(scene, column));
  const column = best.columns[scores.indexOf(Math.max(...scores))];
  return { cls: best.cls, column, dump: scene.model.table.columnDump[column] };
}

function scoreOf({ model }: Scene, column: number): number {
  return Math.max(model.table.columnLeft[column], model.table.columnRight[column]);
}
