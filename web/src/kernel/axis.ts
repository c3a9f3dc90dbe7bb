import { bisectLeft, ticks as niceTicks } from 'd3-array';

/**
 * Where is a dump on the screen? Every dump has the same width, whatever the schedule, so that none vanishes; the labels
 * are iterations. Dump `d` covers [d, d + 1) of the dump scale and is named at its centre.
 */
export interface Axis extends Stretch {
  readonly iterations: Float64Array;
}

/** What a mark needs to know: the shown part of the dump scale (or of columns that stand for several dumps each). */
export interface Stretch {
  /** [d0, d1). */
  readonly d0: number;
  readonly d1: number;
  /** Where it lies on the screen, in CSS pixels. */
  readonly x0: number;
  readonly width: number;
}

/** Dumps [from, to). */
export type DumpSpan = readonly [number, number];

export function xOf(axis: Stretch, dump: number): number {
  return axis.x0 + ((dump - axis.d0) / (axis.d1 - axis.d0)) * axis.width;
}

export function centreOf(axis: Stretch, dump: number): number {
  return xOf(axis, dump + 0.5);
}

/** The dump under x, cut to the shown part. */
export function dumpAt(axis: Axis, x: number): number {
  const position = axis.d0 + ((x - axis.x0) / axis.width) * (axis.d1 - axis.d0);
  const last = Math.max(0, Math.min(axis.iterations.length, Math.ceil(axis.d1)) - 1);
  return Math.min(last, Math.max(Math.floor(axis.d0), Math.floor(position)));
}

export function pixelsPerDump(axis: Stretch): number {
  return axis.width / (axis.d1 - axis.d0);
}

/** First dump at or after an iteration (the number of dumps if there is none). */
export function dumpFrom(iterations: Float64Array, iteration: number): number {
  return bisectLeft(iterations, iteration);
}

/** The dump nearest to an iteration, or -1 where there is none. */
export function nearestDump(iterations: Float64Array, iteration: number): number {
  const after = bisectLeft(iterations, iteration);
  if (after >= iterations.length) return iterations.length - 1;
  if (after === 0) return 0;
  return iteration - iterations[after - 1] < iterations[after] - iteration ? after - 1 : after;
}

/** Position of any iteration on the dump scale, at the centre of its dump, between dumps by proportion. */
export function positionOf(iterations: Float64Array, iteration: number): number {
  const after = bisectLeft(iterations, iteration);
  if (after >= iterations.length) return iterations.length - 0.5;
  if (after === 0 || iterations[after] === iteration) return after + 0.5;
  const before = iterations[after - 1];
  return after - 0.5 + (iteration - before) / (iterations[after] - before);
}

export interface Tick {
  readonly x: number;
  readonly iteration: number;
  readonly label: string;
}

/** Ticks at round iterations, never closer than `gap` pixels. */
export function axisTicks(axis: Axis, gap = 78): Tick[] {
  const { iterations } = axis;
  if (iterations.length === 0 || axis.width <= 0) return [];
  const first = iterations[Math.max(0, Math.floor(axis.d0))];
  const last = iterations[Math.max(0, Math.min(iterations.length, Math.ceil(axis.d1)) - 1)];
  const count = Math.max(1, Math.floor(axis.width / (gap * 1.25)));
  const values = first === last ? [first] : niceTicks(first, last, count).filter(Number.isInteger);
  const label = tickLabel(values);
  const out: Tick[] = [];
  for (const iteration of values.length ? values : [first]) {
    const x = xOf(axis, positionOf(iterations, iteration));
    if (x < axis.x0 - 1 || x > axis.x0 + axis.width + 1) continue;
    if (out.length === 0 || x - out[out.length - 1].x >= gap * 0.6)
      out.push({ x, iteration, label: label(iteration) });
  }
  return out;
}

function tickLabel(values: readonly number[]): (iteration: number) => string {
  const step = values.length > 1 ? values[1] - values[0] : 1;
  const largest = values[values.length - 1] ?? 0;
  if (largest >= 1e6 && step % 1e4 === 0)
    return (v) => (v === 0 ? '0' : v < 1e6 ? `${v / 1e3}k` : `${v / 1e6}M`);
  if (largest >= 1e4 && step % 100 === 0) return (v) => (v === 0 ? '0' : `${v / 1e3}k`);
  return (v) => v.toLocaleString('en-US');
}

/** The dumps at which any sample was evaluated, read off the overall error. */
export function recordedDumps(overallError: ArrayLike<number>): Int32Array {
  const out: number[] = [];
  for (let d = 0; d < overallError.length; d++) if (!Number.isNaN(overallError[d])) out.push(d);
  return Int32Array.from(out);
}
