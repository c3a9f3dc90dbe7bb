import type { Lut } from './colour.ts';
import type { Entries } from './confusion.ts';
import type { Pixels } from './raster.ts';

/**
 * What does the confusion matrix look like in a square of pixels?
 *
 * 1. Only cells that occur are drawn, each into the pixels that it covers: one at least, so nothing vanishes. Where several
 *    share a pixel, the one with the largest share counts, and any confusion more than what is right. Confusions have two
 *    pixels a side at least: a single one is not seen on a screen of so many.
 * 2. Large cells leave a gap of a pixel between each other.
 * 3. Colours go by the cube root of shares: of most classes few samples are taken for any one other, and these few are
 *    what is looked for.
 */
export interface MatrixWindow {
  /** Place of the first row and column that are shown; may lie between two. */
  readonly row: number;
  readonly column: number;
  /** How many rows and columns are shown. */
  readonly cells: number;
}

/** Tables of 256 colours: cell 1 stands for no share, 255 for all (or, of changes, 1 for -1, 128 for none). */
export interface MatrixLuts {
  readonly confusion: Lut;
  readonly right: Lut;
  /** Columns of no class. */
  readonly none: Lut;
}

const GAP_FROM_PIXELS = 7;
const LEAST_PIXELS = 2;

/** A share as a cell of a table of colours. */
export function cellOfShare(share: number, isChange: boolean): number {
  const root = Math.cbrt(Math.min(1, Math.max(-1, share)));
  return isChange ? 128 + Math.round(root * 127) : 1 + Math.round(Math.abs(root) * 254);
}

export function confusionPixels(
  entries: Entries,
  window: MatrixWindow,
  size: { readonly width: number; readonly height: number; readonly classes: number },
  luts: MatrixLuts,
): Pixels {
  const { width, height, classes } = size;
  const out = new Uint32Array(width * height);
  const key = new Float32Array(width * height);
  const step = width / window.cells;
  const gap = step >= GAP_FROM_PIXELS ? 1 : 0;
  const isChange = entries.before !== null;
  for (let i = 0; i < entries.row.length; i++) {
    const share = entries.share[i];
    const isNone = entries.column[i] >= classes;
    const isRight = entries.column[i] === entries.row[i] && !isNone;
    const least = isRight ? 1 : LEAST_PIXELS;
    const x = span(entries.column[i] - window.column, step, width, gap, least);
    const y = span(entries.row[i] - window.row, step, height, gap, least);
    if (share === 0 || !x || !y) continue;
    const rank = Math.abs(share) + (isRight ? 0 : 1);
    const lut = isNone ? luts.none : isRight ? luts.right : luts.confusion;
    const colour = lut[cellOfShare(share, isChange)];
    for (let py = y[0]; py < y[1]; py++) {
      for (let at = py * width + x[0], end = py * width + x[1]; at < end; at++) {
        if (rank <= key[at]) continue;
        key[at] = rank;
        out[at] = colour;
      }
    }
  }
  return { width, height, data: out };
}

/** The pixels of a cell, [from, to); null where it lies outside. */
function span(
  place: number,
  step: number,
  size: number,
  gap: number,
  least: number,
): [number, number] | null {
  const from = Math.floor(place * step + 1e-6);
  const to = Math.max(from + least, Math.floor((place + 1) * step + 1e-6) - gap);
  if (to <= 0 || from >= size) return null;
  return [Math.max(0, from), Math.min(size, to)];
}

/** The drawn cell under a point (in rows and columns): where cells are smaller than `reach`, the strongest around it. */
export function strongestAt(
  entries: Entries,
  row: number,
  column: number,
  reach: number,
): { readonly row: number; readonly column: number } {
  const [r, c] = [Math.floor(row), Math.floor(column)];
  if (reach < 1) return { row: r, column: c };
  let best = { row: r, column: c };
  let rank = 0;
  for (let i = 0; i < entries.row.length; i++) {
    const near =
      Math.abs(entries.row[i] + 0.5 - row) <= reach && Math.abs(entries.column[i] + 0.5 - column) <= reach;
    if (!near) continue;
    const strength = Math.abs(entries.share[i]) + (entries.row[i] === entries.column[i] ? 0 : 1);
    if (strength > rank) {
      rank = strength;
      best = { row: entries.row[i], column: entries.column[i] };
    }
  }
  return best;
}

/** A window that is zoomed around a place and stays within the matrix; `rows` and `columns` are all there are. */
export function zoomedWindow(
  window: MatrixWindow,
  factor: number,
  at: { readonly row: number; readonly column: number },
  all: { readonly rows: number; readonly columns: number },
  fewest = 4,
): MatrixWindow {
  const most = Math.max(all.rows, all.columns);
  const cells = Math.min(most, Math.max(Math.min(fewest, most), window.cells * factor));
  const moved = (from: number, place: number) => place - ((place - from) / window.cells) * cells;
  return within({ row: moved(window.row, at.row), column: moved(window.column, at.column), cells }, all);
}

export function within(
  { row, column, cells }: MatrixWindow,
  all: { readonly rows: number; readonly columns: number },
): MatrixWindow {
  const cut = (from: number, count: number) => Math.max(0, Math.min(from, count - cells));
  return { row: cut(row, all.rows), column: cut(column, all.columns), cells };
}
