import type { Lut } from './colour.ts';
import { reduceMax, reduceMean, type Pixels } from './raster.ts';

/**
 * What do rows of unequal height look like, with gaps between them? A face of the cube, as pixels.
 *
 * 1. A band is some rows of a matrix, all of one height, at a place of its own; at least one pixel high.
 * 2. Each band is reduced by itself (raster.ts): rows that share a pixel are always of one class, or of one layer.
 * 3. What is in no band stays transparent.
 */
export interface Band {
  /** In units of the face, from its upper edge. */
  readonly y: number;
  readonly height: number;
  /** Rows of the matrix from top to bottom. */
  readonly rows: ArrayLike<number>;
}

export interface BandSource {
  readonly data: Uint8Array;
  readonly stride: number;
  /** How many columns are known. */
  readonly length: number;
  readonly lut: Lut;
}

export interface BandView {
  /** The columns from edge to edge, and the height of the face in its units. */
  readonly col0: number;
  readonly col1: number;
  readonly units: number;
  /** Of the picture, in device pixels. */
  readonly width: number;
  readonly height: number;
}

export function bandPixels(
  source: BandSource,
  bands: readonly Band[],
  view: BandView,
  reduce: typeof reduceMax | typeof reduceMean,
): Pixels {
  const { width, height, units, col0, col1 } = view;
  const data = new Uint32Array(width * height);
  const scale = height / units;
  for (const { y, height: h, rows } of bands) {
    const top = Math.min(height - 1, Math.round(y * scale));
    const bottom = Math.max(top + 1, Math.min(height, Math.round((y + h) * scale)));
    const part = { row0: 0, row1: rows.length, col0, col1, width, height: bottom - top };
    const { stride, length, lut } = source;
    data.set(reduce({ data: source.data, stride, order: rows, lut }, part, length).data, top * width);
  }
  return { width, height, data };
}
