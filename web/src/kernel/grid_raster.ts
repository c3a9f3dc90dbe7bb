import { cellOf, type Lut, type Rgb } from './colour.ts';
import { CLASS_MARGIN, COLUMN, RECT, type CorrelationModel } from './correlation_model.ts';
import type { Pixels } from './raster.ts';

/**
 * What does the correlation of layers and classes look like, as pixels? (paper, Fig. 5a and 5b)
 *
 * Counts: a cell's colour goes by the root of how many anomaly filters of its layer hit its class.
 *
 * Mini-sets, from below:
 * 1. Every other class has a band, layers have a line between them, every column has a hairline.
 * 2. A mini-set is a line through all classes, the stronger the more columns it hits.
 * 3. Where it hits a column there is a rectangle as high as its filters' rows. Edges that lie within a pixel cover it in
 *    part: rectangles of a pixel and a half would else be one or two pixels wide by chance.
 */
export const FULL_COUNT = 12;

export interface GridColours {
  readonly ground: Rgb;
  /** Bands, hairlines and separators. */
  readonly ink: Rgb;
  readonly line: Rgb;
  readonly rect: Rgb;
}

export interface GridSize {
  readonly width: number;
  readonly height: number;
  /** How wide a CSS pixel is, across and down. */
  readonly pixelX: number;
  readonly pixelY: number;
}

const BAND_ALPHA = 0.045;
const HAIRLINE_ALPHA = 0.22;
const SEPARATOR_ALPHA = 0.3;
const LINE_ALPHA = { least: 0.1, range: 0.55 };
const WIDEST_RECT = 11;

/** The share of the colour ramp of a cell that counts `count` filters. */
export function countShare(count: number): number {
  return Math.min(1, Math.sqrt(count / FULL_COUNT));
}

export function countPixels(model: CorrelationModel, lut: Lut, { width, height }: GridSize): Pixels {
  const out = new Uint32Array(width * height);
  const { counts, classes } = model.table;
  const [sx, sy] = [width / model.width, height / model.height];
  for (const layer of model.layers) {
    const top = Math.min(height - 1, Math.round(layer.y * sy));
    const bottom = Math.max(top + 1, Math.min(height, Math.round((layer.y + layer.height) * sy)));
    for (const { place, x, width: w } of model.classes) {
      const colour = lut[cellOf(countShare(counts[layer.place * classes.length + place]))];
      out.fill(colour, top * width + Math.round(x * sx), top * width + Math.round((x + w) * sx));
    }
    for (let y = top + 1; y < bottom; y++) out.copyWithin(y * width, top * width, (top + 1) * width);
  }
  return { width, height, data: out };
}

/** Half the width of a rectangle, in units: it neither vanishes in narrow columns nor becomes a block in wide ones. */
export function rectHalf(unitsOfPixel: number, most = WIDEST_RECT): number {
  return Math.min(RECT, most * unitsOfPixel) / 2;
}

export function setPixels(model: CorrelationModel, colours: GridColours, size: GridSize): Pixels {
  const canvas = new Blender(size.width, size.height, colours.ground);
  const [sx, sy] = [size.width / model.width, size.height / model.height];
  const { ink, line, rect } = colours;
  model.classes.forEach(({ x, width }, i) => {
    if (i % 2 === 1) canvas.fill(x * sx, 0, (x + width) * sx, size.height, ink, BAND_ALPHA);
  });
  model.layers.forEach(({ y }, i) => {
    const above = model.layers[i - 1];
    if (!above) return;
    const middle = ((y + above.y + above.height) / 2) * sy;
    canvas.fill(0, middle - size.pixelY / 2, size.width, middle + size.pixelY / 2, ink, SEPARATOR_ALPHA);
  });
  for (const { x, count } of model.classes) {
    for (let i = 0; i < count; i++) {
      const middle = (x + CLASS_MARGIN + (i + 0.5) * COLUMN) * sx;
      canvas.fill(middle - size.pixelX / 2, 0, middle + size.pixelX / 2, size.height, ink, HAIRLINE_ALPHA);
    }
  }
  drawSets(canvas, model, line, rect, sx, sy, size);
  return { width: size.width, height: size.height, data: canvas.data };
}

function drawSets(
  canvas: Blender,
  model: CorrelationModel,
  line: Rgb,
  rect: Rgb,
  sx: number,
  sy: number,
  size: GridSize,
): void {
  const { start, most } = model.hits;
  const { setY, setHeight } = model;
  const sets = model.sets;
  for (const set of sets) {
    const hits = start[set + 1] - start[set];
    const middle = (setY[set] + setHeight[set] / 2) * sy;
    const half = Math.min(size.pixelY, (setHeight[set] * sy) / 2) / 2;
    const alpha = LINE_ALPHA.least + (LINE_ALPHA.range * hits) / Math.max(1, most);
    canvas.fill(0, middle - half, size.width, middle + half, line, alpha);
  }
  const half = rectHalf(size.pixelX / sx) * sx;
  for (const set of sets) {
    for (const column of model.hitsOf(set)) {
      const x = model.columnX(column) * sx;
      canvas.fill(x - half, setY[set] * sy, x + half, (setY[set] + setHeight[set]) * sy, rect, 1);
    }
  }
}

/** Rectangles laid over each other, opaque at the end; pixels at an edge are covered in part. */
class Blender {
  readonly data: Uint32Array;

  constructor(
    readonly width: number,
    readonly height: number,
    ground: Rgb,
  ) {
    this.data = new Uint32Array(width * height).fill(packed(ground));
  }

  fill(x0: number, y0: number, x1: number, y1: number, colour: Rgb, alpha: number): void {
    const left = Math.max(0, Math.floor(x0));
    const right = Math.min(this.width, Math.ceil(x1));
    const bottom = Math.min(this.height, Math.ceil(y1));
    for (let y = Math.max(0, Math.floor(y0)); y < bottom; y++) {
      const rows = alpha * (Math.min(y1, y + 1) - Math.max(y0, y));
      for (let x = left; x < right; x++) {
        this.#blend(y * this.width + x, colour, rows * (Math.min(x1, x + 1) - Math.max(x0, x)));
      }
    }
  }

  #blend(at: number, [r, g, b]: Rgb, alpha: number): void {
    if (alpha >= 1) {
      this.data[at] = ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
      return;
    }
    const under = this.data[at];
    const mix = (from: number, to: number) => Math.round(from + (to - from) * alpha);
    const red = mix(under & 255, r);
    const green = mix((under >> 8) & 255, g);
    const blue = mix((under >> 16) & 255, b);
    this.data[at] = ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  }
}

function packed([r, g, b]: Rgb): number {
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}
