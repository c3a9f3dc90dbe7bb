import { bandPixels, type Band } from '../../kernel/band_raster.ts';
import { colourAt, cssOf, parseHex, type Lut } from '../../kernel/colour.ts';
import { faceSize, type FaceName } from '../../kernel/cube_geometry.ts';
import { columnScale, type Detail } from '../../kernel/detail.ts';
import { countPixels, setPixels } from '../../kernel/grid_raster.ts';
import { reduceMax, reduceMean } from '../../kernel/raster.ts';
import { knownPart } from '../../marks/stripes.ts';
import type { Surface } from '../../marks/surface.ts';
import type { FaceScene } from './scene.ts';

/**
 * The data of one face, unskewed, in a rectangle of w x h pixels; how it lies on the stage is the matter of its matrix.
 */
export function drawFace(surface: Surface, scene: FaceScene, face: FaceName, w: number, h: number): void {
  if (face === 'front') drawFront(surface, scene, w, h);
  else if (face === 'top') drawTop(surface, scene, w, h);
  else drawRight(surface, scene, w, h);
}

/** Between two stripes of classes, in units; where classes are few and stripes broad, no more pixels than these. */
const STRIPE_GAP = 2;
const MOST_GAP_PIXELS = 3;
const RECT_SHARE = 0.86;

function drawFront(surface: Surface, scene: FaceScene, w: number, h: number): void {
  const { rows, model, changeLut: lut } = scene;
  const bands = model.layers.map(({ y, height, rows: own }) => ({ y, height, rows: own }));
  if (!rows || rows.by !== model.by) {
    drawSkeleton(surface, scene, bands, model.height, w, h);
    return;
  }
  const source = { data: rows.cells, stride: rows.columns, length: rows.columns, lut, detail: rows.detail };
  drawBands(surface, scene, source, bands, 'front', reduceMax, w, h);
}

function drawTop(surface: Surface, scene: FaceScene, w: number, h: number): void {
  const { errors, model, errorLut: lut } = scene;
  const gap = Math.min(STRIPE_GAP, (MOST_GAP_PIXELS * model.width) / h);
  const bands = model.classes.map(({ x, width, cls }) => ({
    y: model.width - x - width + gap / 2,
    height: width - gap,
    rows: [cls],
  }));
  if (!errors) {
    drawSkeleton(surface, scene, bands, model.width, w, h);
    return;
  }
  const { error, detail } = errors;
  const source = { data: error.data, stride: error.stride, length: error.length, lut, detail };
  drawBands(surface, scene, source, bands, 'top', reduceMean, w, h);
}

interface Source {
  readonly data: Uint8Array;
  readonly stride: number;
  readonly length: number;
  readonly lut: Lut;
  readonly detail: Detail;
}

/** Where cells are missing the hatch shows through; what a live run has not told yet is grey. */
function drawBands(
  surface: Surface,
  scene: FaceScene,
  source: Source,
  bands: readonly Band[],
  face: FaceName,
  reduce: typeof reduceMax | typeof reduceMean,
  w: number,
  h: number,
): void {
  const { theme, zoom, model } = scene;
  const scale = columnScale({ d0: zoom[0], d1: zoom[1], x0: 0, width: w }, source.detail);
  const { col1, shown } = knownPart(scale, source.length);
  const [, units] = faceSize(face, { dumps: 1, rows: model.height, columns: model.width });
  const view = {
    col0: scale.d0,
    col1,
    units,
    width: Math.max(1, Math.round(shown * surface.density)),
    height: Math.max(1, Math.round(h * surface.density)),
  };
  surface.rect(0, 0, w, h, { fill: theme.panel });
  if (shown < w) drawSkeleton(surface, scene, bands, units, w, h);
  if (shown <= 0) return;
  for (const { y, height } of bands) {
    surface.hatch(0, (y / units) * h, shown, (height / units) * h, theme.hatch, theme.hatchGround);
  }
  surface.pixels(bandPixels(source, bands, view, reduce), 0, 0, shown, h);
}

function drawSkeleton(
  surface: Surface,
  { theme }: FaceScene,
  bands: readonly Band[],
  units: number,
  w: number,
  h: number,
): void {
  surface.rect(0, 0, w, h, { fill: theme.panel });
  for (const { y, height } of bands) {
    surface.rect(0, (y / units) * h, w, (height / units) * h, { fill: theme.skeleton });
  }
}

function drawRight(surface: Surface, scene: FaceScene, w: number, h: number): void {
  const { theme, model, limits, countLut } = scene;
  const size = {
    width: Math.max(1, Math.round(w * surface.density)),
    height: Math.max(1, Math.round(h * surface.density)),
    pixelX: surface.density,
    pixelY: surface.density,
  };
  surface.rect(0, 0, w, h, { fill: theme.panel });
  if (model.classes.length === 0) return;
  if (limits.cells === 'counts') {
    surface.pixels(countPixels(model, countLut, size), 0, 0, w, h);
    return;
  }
  const colours = {
    ground: parseHex(theme.changeRamp[0]),
    ink: parseHex(theme.ink2),
    line: parseHex(theme.barOn),
    rect: colourAt(theme.changeRamp, RECT_SHARE),
  };
  surface.pixels(setPixels(model, colours, size), 0, 0, w, h);
}

/** The colour of a mini-set's rectangle. */
export function rectColour({ theme }: Pick<FaceScene, 'theme'>): string {
  return cssOf(colourAt(theme.changeRamp, RECT_SHARE));
}
