import type { Lut } from './colour.ts';

/**
 * What does a matrix look like in a rectangle of pixels?
 *
 * 1. Each pixel covers a range of source rows and columns: at least the one cell that it begins in.
 * 2. Rates are averaged over the known cells of that range, so a one-row event never vanishes when zoomed out.
 * 3. The mean goes through a table of 256 colours. Equal row ranges are copied.
 */
export interface Raster {
  readonly data: Uint8Array;
  readonly stride: number;
  /** Source row of each drawn row. */
  readonly order: ArrayLike<number>;
  readonly lut: Lut;
}

/** Part of the drawn rows and of the columns, as positions, and the size of the picture in device pixels. */
export interface Viewport {
  readonly row0: number;
  readonly row1: number;
  readonly col0: number;
  readonly col1: number;
  readonly width: number;
  readonly height: number;
}

export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint32Array;
}

/** For each of `size` pixels the first source cell and the one after the last. */
export function ranges(from: number, to: number, size: number, limit: number): Int32Array {
  const out = new Int32Array(size * 2);
  const step = (to - from) / size;
  for (let i = 0; i < size; i++) {
    // A pixel narrower than a cell takes the cell at its centre; a wider one takes all cells that begin in it.
    const narrow = step <= 1;
    const begin = Math.floor(narrow ? from + (i + 0.5) * step : from + i * step + 1e-9);
    const end = narrow ? begin + 1 : Math.floor(from + (i + 1) * step + 1e-9);
    out[2 * i] = Math.max(0, Math.min(limit, begin));
    out[2 * i + 1] = Math.max(0, Math.min(limit, Math.max(begin + 1, end)));
  }
  return out;
}

export function reduceMean(raster: Raster, view: Viewport, columns: number): Pixels {
  const { width, height } = view;
  const out = new Uint32Array(width * height);
  const cols = ranges(view.col0, view.col1, width, columns);
  const rows = ranges(view.row0, view.row1, height, raster.order.length);
  for (let y = 0; y < height; y++) {
    const same = y > 0 && rows[2 * y] === rows[2 * y - 2] && rows[2 * y + 1] === rows[2 * y - 1];
    if (same) out.copyWithin(y * width, (y - 1) * width, y * width);
    else if (rows[2 * y + 1] - rows[2 * y] === 1) lineOfOne(raster, cols, rows[2 * y], out, y * width);
    else lineOfMany(raster, cols, rows[2 * y], rows[2 * y + 1], out, y * width);
  }
  return { width, height, data: out };
}

function lineOfOne(raster: Raster, cols: Int32Array, row: number, out: Uint32Array, at: number): void {
  const { data, lut } = raster;
  const base = raster.order[row] * raster.stride;
  for (let x = 0, n = cols.length / 2; x < n; x++) {
    let sum = 0;
    let known = 0;
    for (let c = base + cols[2 * x], end = base + cols[2 * x + 1]; c < end; c++) {
      const cell = data[c];
      sum += cell;
      if (cell !== 0) known++;
    }
    out[at + x] = known === 0 ? lut[0] : lut[Math.round(sum / known)];
  }
}

function lineOfMany(
  raster: Raster,
  cols: Int32Array,
  row0: number,
  row1: number,
  out: Uint32Array,
  at: number,
): void {
  const n = cols.length / 2;
  const sums = new Float64Array(n);
  const known = new Int32Array(n);
  for (let row = row0; row < row1; row++) {
    const base = raster.order[row] * raster.stride;
    for (let x = 0; x < n; x++) {
      for (let c = base + cols[2 * x], end = base + cols[2 * x + 1]; c < end; c++) {
        const cell = raster.data[c];
        sums[x] += cell;
        if (cell !== 0) known[x]++;
      }
    }
  }
  for (let x = 0; x < n; x++) out[at + x] = raster.lut[known[x] === 0 ? 0 : Math.round(sums[x] / known[x])];
}
