import { extentOf, type Extent } from './series.ts';
import { xOf, type Axis } from './axis.ts';
import type { Columns } from './columns.ts';

/**
 * How are distributions over time shown where there are more dumps than room for boxes? Neighbouring dumps share one.
 *
 * Whiskers reach from the least minimum to the largest maximum of the dumps in a box; quartiles and median are the means
 * of theirs. Dumps where nothing is known are passed over.
 */
export interface BoxBin {
  /** Dumps [from, to). */
  readonly from: number;
  readonly to: number;
  readonly x0: number;
  readonly x1: number;
  readonly min: number;
  readonly q1: number;
  readonly median: number;
  readonly q3: number;
  readonly max: number;
}

/** The rows of `five` are minimum, first quartile, median, third quartile, maximum. */
export function boxBins(five: Columns<Float32Array>, axis: Axis, most = 50): BoxBin[] {
  const first = Math.max(0, Math.floor(axis.d0));
  const last = Math.min(five.length, Math.ceil(axis.d1));
  const size = Math.max(1, Math.ceil((Math.ceil(axis.d1) - first) / most));
  const out: BoxBin[] = [];
  for (let from = first; from < last; from += size) {
    const to = Math.min(last, from + size);
    const bin = binOf(five, from, to);
    if (bin) out.push({ ...bin, x0: xOf(axis, from), x1: xOf(axis, to) });
  }
  return out;
}

function binOf(five: Columns<Float32Array>, from: number, to: number): Omit<BoxBin, 'x0' | 'x1'> | null {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  const means = [new Mean(), new Mean(), new Mean()];
  for (let d = from; d < to; d++) {
    if (five.at(0, d) < min) min = five.at(0, d);
    if (five.at(4, d) > max) max = five.at(4, d);
    means.forEach((mean, i) => mean.add(five.at(i + 1, d)));
  }
  const [q1, median, q3] = means.map((mean) => mean.value());
  return Number.isNaN(median) ? null : { from, to, min, q1, median, q3, max };
}

/** Of the finite values; of infinite ones where there are no others, NaN where there are none at all. */
class Mean {
  #sum = 0;
  #finite = 0;
  #infinite = Number.NaN;

  add(value: number): void {
    if (Number.isFinite(value)) {
      this.#sum += value;
      this.#finite++;
    } else if (!Number.isNaN(value)) this.#infinite = value;
  }

  value(): number {
    return this.#finite > 0 ? this.#sum / this.#finite : this.#infinite;
  }
}

/** How far beyond the quartiles, in lengths of the box, whiskers are sure to be drawn. */
const REACH = 1;

/** What a chart must span to show the boxes of dumps [from, to), and their whiskers as far as is sensible. */
export function boxExtent(five: Columns<Float32Array>, from: number, to: number): Extent | null {
  const ends: number[] = [];
  for (let d = from; d < Math.min(to, five.length); d++) {
    const [min, q1, , q3, max] = [0, 1, 2, 3, 4].map((row) => five.at(row, d));
    const reach = REACH * (q3 - q1);
    ends.push(Math.max(min, q1 - reach), Math.min(max, q3 + reach));
  }
  return extentOf(ends);
}
