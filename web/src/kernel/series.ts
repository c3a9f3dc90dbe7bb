import { nice } from 'd3-array';
import type { Stretch } from './axis.ts';
import { ranges } from './raster.ts';

/**
 * What does a curve over the dumps look like in pixels, and on which scale?
 *
 * A pixel covers dumps as it does in a raster: all that begin in it, at least the one at its centre. It keeps their
 * least and largest value, so that no extreme vanishes, and their mean. Unknown dumps (NaN) do not count. Infinite
 * ones, of weights that diverged, count as extremes; into the mean they go only where nothing else is known.
 */
export interface PixelSeries {
  readonly x0: number;
  /** CSS pixels from one column to the next. */
  readonly step: number;
  /** One number a column, NaN where nothing is known. */
  readonly min: Float32Array;
  readonly max: Float32Array;
  readonly mean: Float32Array;
}

/** The extremes of what each value is the mean of. */
export interface Envelope {
  readonly lowest: ArrayLike<number>;
  readonly highest: ArrayLike<number>;
}

/** `density`: columns in a CSS pixel. Without an envelope each value is its own extreme. */
export function toPixels(
  values: ArrayLike<number>,
  axis: Stretch,
  density = 1,
  { lowest, highest }: Envelope = { lowest: values, highest: values },
): PixelSeries {
  const size = Math.max(1, Math.round(axis.width * density));
  const covered = ranges(axis.d0, axis.d1, size, values.length);
  const min = new Float32Array(size).fill(Number.NaN);
  const max = new Float32Array(size).fill(Number.NaN);
  const mean = new Float32Array(size).fill(Number.NaN);
  for (let x = 0; x < size; x++) {
    let lo = Number.POSITIVE_INFINITY;
    let hi = Number.NEGATIVE_INFINITY;
    let sum = 0;
    let finite = 0;
    for (let d = covered[2 * x], end = covered[2 * x + 1]; d < end; d++) {
      const value = values[d];
      if (lowest[d] < lo) lo = lowest[d];
      if (highest[d] > hi) hi = highest[d];
      if (!Number.isFinite(value)) continue;
      sum += value;
      finite++;
    }
    if (lo > hi) continue;
    min[x] = lo;
    max[x] = hi;
    mean[x] = finite > 0 ? sum / finite : (lo + hi) / 2;
  }
  return { x0: axis.x0, step: axis.width / size, min, max, mean };
}

/** The stretches [from, to) of 0..length that fulfil something. */
export function runs(length: number, isIn: (x: number) => boolean): [number, number][] {
  const out: [number, number][] = [];
  for (let x = 0; x < length; x++) {
    if (!isIn(x)) continue;
    const run = out[out.length - 1];
    if (run && run[1] === x) run[1] = x + 1;
    else out.push([x, x + 1]);
  }
  return out;
}

export type Extent = readonly [number, number];

/** The least and the largest finite value of [from, to); null where there is none. */
export function extentOf(values: ArrayLike<number>, from = 0, to = values.length): Extent | null {
  let lo = Number.POSITIVE_INFINITY;
  let hi = Number.NEGATIVE_INFINITY;
  for (let i = Math.max(0, from), end = Math.min(values.length, to); i < end; i++) {
    const value = values[i];
    if (!Number.isFinite(value)) continue;
    if (value < lo) lo = value;
    if (value > hi) hi = value;
  }
  return lo <= hi ? [lo, hi] : null;
}

function union(extents: readonly (Extent | null)[]): Extent | null {
  return extentOf(extents.flatMap((extent) => extent ?? []));
}

const ROUND = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10];

/** The least round number that is not below. */
export function roundUp(magnitude: number): number {
  if (!(magnitude > 0) || !Number.isFinite(magnitude)) return 1;
  const exponent = Math.floor(Math.log10(magnitude));
  for (const digits of ROUND) {
    // Read as text, so that 0.3 is 0.3 and not 0.30000000000000004.
    const round = Number(`${digits}e${exponent}`);
    if (round >= magnitude * (1 - 1e-9)) return round;
  }
  return Number(`1e${exponent + 1}`);
}

export interface Scale {
  readonly lo: number;
  readonly hi: number;
}

/** Heights on the screen. What is far outside, or infinite, comes to lie beyond the edge and no further. */
export function yOf({ lo, hi }: Scale, top: number, height: number): (value: number) => number {
  return (value) => top + height * (1 - Math.max(-0.5, Math.min(1.5, (value - lo) / (hi - lo))));
}

/**
 * For lines and boxes: one extent a curve, several for a shared scale. Values of both signs are shown from the least to
 * the largest; those of one sign from 0, unless they spread over less than the share `zeroUnlessSpreadBelow` of their
 * level: cosines of 0.98 to 0.99 would be a straight line.
 */
export function lineScale(extents: readonly (Extent | null)[], zeroUnlessSpreadBelow = 0.25): Scale {
  const extent = union(extents);
  if (!extent || (extent[0] === 0 && extent[1] === 0)) return { lo: 0, hi: 1 };
  const [lo, hi] = extent;
  const level = Math.max(Math.abs(lo), Math.abs(hi));
  const isFlat = hi - lo <= level * 1e-6;
  const fromZero = lo * hi >= 0 && (isFlat || hi - lo >= level * zeroUnlessSpreadBelow);
  if (!fromZero) {
    const [low, high] = nice(lo, hi, 5);
    return { lo: low, hi: high };
  }
  return hi > 0 ? { lo: 0, hi: roundUp(hi) } : { lo: -roundUp(-lo), hi: 0 };
}

/** Values are folded at multiples of m / bands, a round number; `signed` where any of them is negative. */
export interface HorizonScale {
  readonly m: number;
  readonly bands: number;
  readonly signed: boolean;
}

export function horizonScale(extents: readonly (Extent | null)[], bands: number): HorizonScale {
  const extent = union(extents);
  const largest = extent ? Math.max(Math.abs(extent[0]), Math.abs(extent[1])) : 0;
  return { m: roundUp(largest / bands) * bands, bands, signed: extent !== null && extent[0] < 0 };
}
