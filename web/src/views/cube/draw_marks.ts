import { centreOf } from '../../kernel/axis.ts';
import { pitches, quad, type Affine } from '../../kernel/affine.ts';
import type { ClassSpan, LayerSpan } from '../../kernel/correlation_model.ts';
import { faceMatrix, isShown, type FaceName } from '../../kernel/cube_geometry.ts';
import { rectHalf } from '../../kernel/grid_raster.ts';
import { drawGlyph } from '../../marks/triangles.ts';
import type { Surface } from '../../marks/surface.ts';
import { isChartShown } from './draw_time.ts';
import type { Scene } from './scene.ts';

/**
 * How is one thing followed over the edges of the cube? A class is a stripe of the top and a column of the right, a
 * mini-set a row of the front and of the right, an iteration a column of front and top. Outlines with a halo, never a
 * tint: the data keep their colours.
 */
const THINNEST = 3;
/** So high that the rectangles of a mini-set are seen inside. */
const THINNEST_ROW = 7;
const THINNEST_HIT = 3.6;
const HALO = 2.6;

/** An outline around a part of a face; one that is too thin to see is widened to a few pixels. */
export function outline(
  surface: Surface,
  scene: Scene,
  face: FaceName,
  [x0, y0, x1, y1]: readonly [number, number, number, number],
  stroke: string,
  { width = 1.4, thinnest = THINNEST }: { readonly width?: number; readonly thinnest?: number } = {},
): void {
  if (!isShown(scene.placement, face)) return;
  const matrix = faceMatrix(scene.placement, face, scene.sizes);
  const [px, py] = pitches(matrix);
  const [a, b] = atLeast(x0, x1, THINNEST / px);
  const [c, d] = atLeast(y0, y1, thinnest / py);
  const corners = quad(matrix, a, c, b, d);
  const points = [...corners, corners[0], corners[1]];
  surface.line(points, { stroke: scene.theme.panel, width: width + HALO, alpha: 0.85 });
  surface.line(points, { stroke, width });
}

function atLeast(from: number, to: number, least: number): readonly [number, number] {
  if (to - from >= least) return [from, to];
  const middle = (from + to) / 2;
  return [middle - least / 2, middle + least / 2];
}

export function outlineClass(surface: Surface, scene: Scene, { x, width }: ClassSpan, stroke: string): void {
  const { columns, dumps, rows } = scene.sizes;
  outline(surface, scene, 'top', [0, columns - x - width, dumps, columns - x], stroke);
  outline(surface, scene, 'right', [x, 0, x + width, rows], stroke);
}

function outlineRows(surface: Surface, scene: Scene, y: number, height: number, stroke: string): void {
  const { columns, dumps } = scene.sizes;
  const style = { thinnest: THINNEST_ROW };
  outline(surface, scene, 'front', [0, y, dumps, y + height], stroke, style);
  outline(surface, scene, 'right', [0, y, columns, y + height], stroke, style);
}

export function outlineLayer(surface: Surface, scene: Scene, { y, height }: LayerSpan, stroke: string): void {
  outlineRows(surface, scene, y, height, stroke);
}

export function outlineSet(surface: Surface, scene: Scene, set: number, stroke: string): void {
  const { setY, setHeight } = scene.model;
  if (setHeight[set] > 0) outlineRows(surface, scene, setY[set], setHeight[set], stroke);
}

/** The rectangles of a mini-set in all classes. */
export function fillHits(surface: Surface, scene: Scene, set: number, fill: string): void {
  const { model, placement, sizes, theme } = scene;
  if (scene.limits.cells === 'counts' || !isShown(placement, 'right')) return;
  const matrix = faceMatrix(placement, 'right', sizes);
  const [px, py] = pitches(matrix);
  const half = Math.max(rectHalf(1 / px), 1.3 / px);
  const [y0, y1] = atLeast(model.setY[set], model.setY[set] + model.setHeight[set], THINNEST_HIT / py);
  for (const column of model.hitsOf(set)) {
    const x = model.columnX(column);
    surface.polygon(quad(matrix, x - half, y0, x + half, y1), { fill }, { stroke: theme.panel, width: 0.5 });
  }
}

/** The triangles of the anomaly iterations that a mini-set hits. */
export function fillTriangles(surface: Surface, scene: Scene, set: number, fill: string): void {
  const hit = new Set(scene.model.hitsOf(set));
  for (const { glyph, columns, x, y, scale } of scene.glyphs) {
    if (columns.some((column) => hit.has(column))) drawTriangle(surface, scene, { glyph, x, y, scale }, fill);
  }
}

/** The triangles of some columns. */
export function fillColumns(
  surface: Surface,
  scene: Scene,
  of: (column: number) => boolean,
  fill: string,
): void {
  for (const placed of scene.glyphs) {
    if (placed.columns.some(of)) drawTriangle(surface, scene, placed, fill);
  }
}

function drawTriangle(
  surface: Surface,
  { theme }: Scene,
  { glyph, x, y, scale }: Pick<Scene['glyphs'][number], 'glyph' | 'x' | 'y' | 'scale'>,
  fill: string,
): void {
  drawGlyph(surface, theme, { ...glyph, x }, y, fill, Math.max(0.8, scale));
}

/** A dump on the front, the top and the overall error, and the columns of classes that jump there. */
export function lineOfDump(
  surface: Surface,
  scene: Scene,
  dump: number,
  stroke: string,
  dash: readonly [number, number] | null = null,
): void {
  const { zoom, sizes, placement, axis, model } = scene;
  if (dump < Math.floor(zoom[0]) || dump >= zoom[1]) return;
  for (const [face, length] of [
    ['front', sizes.rows],
    ['top', sizes.columns],
  ] as const) {
    if (!isShown(placement, face)) continue;
    const matrix = faceMatrix(placement, face, sizes);
    if (pitches(matrix)[0] >= THINNEST && !dash) {
      outline(surface, scene, face, [dump - zoom[0], 0, dump + 1 - zoom[0], length], stroke, { width: 1.1 });
    } else lineAcross(surface, scene, matrix, dump + 0.5 - zoom[0], length, stroke, dash);
  }
  if (isChartShown(scene)) {
    const x = centreOf(axis, dump);
    const { y, h } = placement.chart;
    surface.line([x, y, x, y + h], { stroke, width: 1.1, ...(dash ? { dash } : {}) });
  }
  if (!isShown(placement, 'right') || scene.limits.cells === 'counts') return;
  const matrix = faceMatrix(placement, 'right', sizes);
  model.table.columnDump.forEach((at, column) => {
    if (at !== dump || model.classOfColumn[column] < 0) return;
    lineAcross(surface, scene, matrix, model.columnX(column), sizes.rows, stroke, dash);
  });
}

function lineAcross(
  surface: Surface,
  { theme }: Scene,
  matrix: Affine,
  x: number,
  length: number,
  stroke: string,
  dash: readonly [number, number] | null,
): void {
  const points = quad(matrix, x, 0, x, length).slice(2, 6);
  surface.line(points, { stroke: theme.panel, width: 1.2 + HALO, alpha: 0.6 });
  surface.line(points, { stroke, width: 1.2, ...(dash ? { dash } : {}) });
}
