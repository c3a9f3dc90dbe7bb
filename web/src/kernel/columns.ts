import type { Cells } from './frame.ts';

/**
 * How does a matrix of (rows, dumps) grow at the right while a picture of it is on the screen?
 *
 * Rows lie `stride` cells apart, so that appending writes into spare room. A splice returns a new object: what held the
 * old one still sees the old length. The buffer is shared only where no cell that the old object shows is overwritten.
 */
export class Columns<T extends Cells> {
  constructor(
    readonly rows: number,
    readonly length: number,
    readonly stride: number,
    readonly data: T,
  ) {}

  static of<T extends Cells>(rows: number, block: T): Columns<T> {
    const length = rows > 0 ? block.length / rows : 0;
    return new Columns(rows, length, length, block);
  }

  /** Cut what lies at and after column `first`, then append `block` (rows, columns), row-major. */
  splice(first: number, block: T): Columns<T> {
    const added = this.rows > 0 ? block.length / this.rows : 0;
    if (first < 0 || first > this.length || !Number.isInteger(added)) {
      throw new RangeError(
        `columns must continue at 0..${this.length}. Got ${first} with ${block.length} cells.`,
      );
    }
    const length = first + added;
    if (first === this.length && added === 0) return this;
    const grown = first === this.length && length <= this.stride ? this : this.#copied(first, length);
    for (let row = 0; row < this.rows; row++) {
      grown.data.set(block.subarray(row * added, (row + 1) * added) as never, row * grown.stride + first);
    }
    return new Columns(this.rows, length, grown.stride, grown.data);
  }

  #copied(first: number, length: number): Columns<T> {
    const stride = Math.max(64, Math.ceil(length * 1.5));
    const make = this.data.constructor as new (n: number) => T;
    const data = new make(this.rows * stride);
    for (let row = 0; row < this.rows; row++) {
      data.set(this.data.subarray(row * this.stride, row * this.stride + first) as never, row * stride);
    }
    return new Columns(this.rows, length, stride, data);
  }

  row(index: number): T {
    return this.data.subarray(index * this.stride, index * this.stride + this.length) as T;
  }

  at(row: number, column: number): number {
    return this.data[row * this.stride + column];
  }
}

/**
 * Mean of groups of rows, cell by cell, for columns that the server's own curves do not reach yet. Missing cells (0) do
 * not count.
 */
export function groupMeans(
  cells: Columns<Uint8Array>,
  group: ArrayLike<number>,
  groups: number,
  from: number,
): Uint8Array<ArrayBuffer> {
  const count = Math.max(0, cells.length - from);
  const sums = new Float64Array(groups * count);
  const known = new Int32Array(groups * count);
  for (let row = 0; row < cells.rows; row++) {
    for (let i = 0; i < count; i++) {
      const cell = cells.at(row, from + i);
      if (cell === 0) continue;
      sums[group[row] * count + i] += cell;
      known[group[row] * count + i]++;
    }
  }
  return Uint8Array.from(sums, (sum, i) => (known[i] ? Math.round(sum / known[i]) : 0));
}
