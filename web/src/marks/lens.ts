import type { Detail } from '../kernel/detail.ts';
import type { Columns } from '../kernel/columns.ts';
import type { Lut, Theme } from '../kernel/colour.ts';
import type { Reduce } from '../kernel/raster.ts';
import { drawCells } from './pixel_chart.ts';
import type { Surface } from './surface.ts';

/** A few rows and columns of a matrix around one cell, so large that each can be told from the next. */
export interface Lens {
  readonly cells: Columns<Uint8Array>;
  readonly detail: Detail;
  /** The rows of the matrix that are looked at, in their order. */
  readonly order: Int32Array;
  readonly lut: Lut;
  readonly reduce: Reduce;
  /** The cell in the middle: a position in `order`, and a column. */
  readonly row: number;
  readonly column: number;
  /** Positions that begin a new layer, and a new mini-set. */
  readonly layers: readonly number[];
  readonly sets: readonly number[];
}

export interface LensView {
  /** Positions [from, to) and columns [from, to) that are seen. */
  readonly rows: readonly [number, number];
  readonly columns: readonly [number, number];
}

const ROW = 15;
const MOST_COLUMNS = 45;
const HALO = 2.6;

export function lensView(lens: Lens, height: number): LensView {
  const rows = Math.floor(height / ROW);
  return {
    rows: around(lens.row, rows, lens.order.length),
    columns: around(lens.column, MOST_COLUMNS, lens.cells.length),
  };
}

/** At most `size` of `all`, with `middle` among them, as near to the middle as the ends let it. */
function around(middle: number, size: number, all: number): readonly [number, number] {
  const from = Math.max(0, Math.min(all - size, middle - Math.floor(size / 2)));
  return [from, Math.min(all, from + size)];
}

export function drawLens(surface: Surface, theme: Theme, lens: Lens, width: number, height: number): void {
  const { rows, columns } = lensView(lens, height);
  const h = (rows[1] - rows[0]) * ROW;
  const scale = { x0: 0, width, d0: columns[0], d1: columns[1] };
  const chart = { ...lens, y: 0, h, top: rows[0], rowHeight: ROW };
  drawCells(surface, scale, theme, chart, lens.reduce);
  const yOf = (row: number) => (row - rows[0]) * ROW;
  for (const [breaks, thickness] of [
    [lens.sets, 1],
    [lens.layers, 3],
  ] as const) {
    for (const row of breaks) {
      if (row <= rows[0] || row >= rows[1]) continue;
      surface.rect(0, yOf(row) - thickness / 2, width, thickness, { fill: theme.panel });
    }
  }
  const step = width / (columns[1] - columns[0]);
  const cell = [(lens.column - columns[0]) * step, yOf(lens.row), step, ROW] as const;
  surface.frame(...cell, { stroke: theme.panel, width: 1.4 + HALO });
  surface.frame(...cell, { stroke: theme.highlight, width: 1.4 });
}
