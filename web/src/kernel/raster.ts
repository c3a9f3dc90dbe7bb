import type { Lut } from './colour.ts';

/**
 * What does a matrix look like in a rectangle of pixels?
 *
 * 1. Each pixel covers a range of source rows and columns: at least the one cell that it begins in.
 * 2. The known cells of that range become one. Rates are averaged, so a one-row event never vanishes when zoomed out; of
 *    changes the largest counts, since a single filter that moves is lost in a mean.
 * 3. That cell goes through a table of 256 colours. Equal row ranges are copied.
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

/** Writes one line of pixels at `at`, from the drawn rows [row0, row1) and the columns that each pixel covers. */
type Line = (row0: number, row1: number, cols: Int32Array, out: Uint32Array, at: number) => void;

function reduce(raster: Raster, view: Viewport, columns: number, line: Line): Pixels {
  const { width, height } = view;
  const out = new Uint32Array(width * height);
  const cols = ranges(view.col0, view.col1, width, columns);
  const rows = ranges(view.row0, view.row1, height, raster.order.length);
  for (let y = 0; y < height; y++) {
    const same = y > 0 && rows[2 * y] === rows[2 * y - 2] && rows[2 * y + 1] === rows[2 * y - 1];
    if (same) out.copyWithin(y * width, (y - 1) * width, y * width);
    else line(rows[2 * y], rows[2 * y + 1], cols, out, y * width);
  }
  return { width, height, data: out };
}

export type Reduce = (raster: Raster, view: Viewport, columns: number) => Pixels;

/** The mean of the known cells. */
export function reduceMean(raster: Raster, view: Viewport, columns: number): Pixels {
  const sums = new Int32Array(columns);
  const known = new Int32Array(columns);
  return reduce(raster, view, columns, (row0, row1, cols, out, at) => {
    if (row1 - row0 === 1) lineOfOne(raster, row0, cols, out, at);
    else lineOfMany(raster, row0, row1, sums, known, cols, out, at);
  });
}

function lineOfOne(raster: Raster, row: number, cols: Int32Array, out: Uint32Array, at: number): void {
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

/** First all rows into one, cell by cell, then its cells into pixels: each cell is read once. */
function lineOfMany(
  { data, stride, order, lut }: Raster,
  row0: number,
  row1: number,
  sums: Int32Array,
  known: Int32Array,
  cols: Int32Array,
  out: Uint32Array,
  at: number,
): void {
  const n = cols.length / 2;
  const c0 = cols[0];
  const c1 = cols[2 * n - 1];
  sums.fill(0, c0, c1);
  known.fill(0, c0, c1);
  for (let row = row0; row < row1; row++) {
    const base = order[row] * stride;
    for (let c = c0; c < c1; c++) {
      const cell = data[base + c];
      sums[c] += cell;
      if (cell !== 0) known[c]++;
    }
  }
  for (let x = 0; x < n; x++) {
    let sum = 0;
    let count = 0;
    for (let c = cols[2 * x], end = cols[2 * x + 1]; c < end; c++) {
      sum += sums[c];
      count += known[c];
    }
    out[at + x] = lut[count === 0 ? 0 : Math.round(sum / count)];
  }
}

/**
 * The known cell that is farthest from `middle`, of two the larger: with 0 the largest value, with the cell that stands
 * for zero the largest magnitude.
 */
export function reduceMax(raster: Raster, view: Viewport, columns: number, middle = 0): Pixels {
  // Larger the farther away, then the cell itself in the lowest byte; a missing cell comes last.
  const key = Int32Array.from({ length: 256 }, (_, cell) =>
    cell === 0 ? 0 : (Math.abs(cell - middle) << 8) | cell,
  );
  const farthest = new Int32Array(columns);
  return reduce(raster, view, columns, (row0, row1, cols, out, at) =>
    lineOfFarthest(raster, row0, row1, key, farthest, cols, out, at),
  );
}

function lineOfFarthest(
  { data, stride, order, lut }: Raster,
  row0: number,
  row1: number,
  key: Int32Array,
  farthest: Int32Array,
  cols: Int32Array,
  out: Uint32Array,
  at: number,
): void {
  const n = cols.length / 2;
  const c0 = cols[0];
  const c1 = cols[2 * n - 1];
  farthest.fill(0, c0, c1);
  for (let row = row0; row < row1; row++) {
    const base = order[row] * stride;
    for (let c = c0; c < c1; c++) {
      const found = key[data[base + c]];
      if (found > farthest[c]) farthest[c] = found;
    }
  }
  for (let x = 0; x < n; x++) {
    let best = 0;
    for (let c = cols[2 * x], end = cols[2 * x + 1]; c < end; c++) if (farthest[c] > best) best = farthest[c];
    out[at + x] = lut[best & 255];
  }
}
