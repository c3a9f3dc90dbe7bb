import type { DumpSpan, Stretch } from './axis.ts';
import { countText, iterationText } from './format.ts';
import { extentOf, type Envelope, type Extent } from './series.ts';

/**
 * How does the page show a run that has more dumps than the screen has pixels?
 *
 * 1. It asks for as many columns as the screen can show (`columnsFor`). Where there are more dumps a column stands for
 *    `level` of them, the last for what is left; at level 1 a column is a dump.
 * 2. A mark that draws dump by dump draws column by column too, on a scale of columns (`columnScale`).
 * 3. Where a part is looked at, that part is asked for again, with a margin (`rangeAround`): it has more columns a dump.
 */
export interface Detail {
  /** Dumps in a column. */
  readonly level: number;
  /** The dump that the first column begins with. */
  readonly first: number;
  /** The dump after the last one that is covered. */
  readonly end: number;
}

/** A measure over the columns: the mean of each, and its extremes; at level 1 all three are the same array. */
export interface Curve extends Envelope {
  readonly detail: Detail;
  readonly mean: Float32Array;
  readonly lowest: Float32Array;
  readonly highest: Float32Array;
}

/** What is asked for: at most `columns` columns over dumps [from, to), or over all. */
export interface Range {
  readonly columns: number;
  readonly span: DumpSpan | null;
}

/** The scale on which marks draw columns: where each dump lies it leaves as it was. */
export function columnScale<S extends Stretch>(scale: S, { level, first }: Detail): S | Stretch {
  if (level === 1 && first === 0) return scale;
  const { d0, d1, x0, width } = scale;
  return { d0: (d0 - first) / level, d1: (d1 - first) / level, x0, width };
}

/** The column of a dump, or -1 where it is not covered. */
export function columnOf({ level, first, end }: Detail, dump: number): number {
  return dump >= first && dump < end ? Math.floor((dump - first) / level) : -1;
}

/** The dumps that a column stands for. */
export function dumpsOf({ level, first, end }: Detail, column: number): DumpSpan {
  const from = first + column * level;
  return [from, Math.min(end, from + level)];
}

export function covers({ first, end }: Detail, [from, to]: DumpSpan): boolean {
  return first <= from && to <= end;
}

/** What is known of a dump: that of its column. */
export interface Reading {
  readonly mean: number;
  readonly lowest: number;
  readonly highest: number;
  /** The dumps that the mean is of; null where it is this one dump alone. */
  readonly of: DumpSpan | null;
}

export function readingAt({ detail, mean, lowest, highest }: Curve, dump: number): Reading | null {
  const column = columnOf(detail, dump);
  if (column < 0) return null;
  const of = detail.level > 1 ? dumpsOf(detail, column) : null;
  return { mean: mean[column], lowest: lowest[column], highest: highest[column], of };
}

/** The first and the last iteration: "12,000 – 12,750". */
export function iterationsText(iterations: ArrayLike<number>, [from, to]: DumpSpan): string {
  return `${iterationText(iterations[from])} – ${iterationText(iterations[to - 1])}`;
}

/** When a reading is of, behind the name of what is read. */
export function whenText(iterations: ArrayLike<number>, dump: number, of: DumpSpan | null): string {
  return of
    ? `in iterations ${iterationsText(iterations, of)} (mean)`
    : `at iteration ${iterationText(iterations[dump] ?? 0)}`;
}

/** For legends; empty where every dump has a column. */
export function levelText({ level }: Detail): string {
  return level > 1 ? `Each column: ${countText(level, 'dump')}` : '';
}

/** The extent of the columns that stand for any of the dumps [from, to). */
export function extentOver({ detail, lowest, highest }: Curve, [from, to]: DumpSpan): Extent | null {
  const { level, first } = detail;
  const c0 = Math.floor((from - first) / level);
  const c1 = Math.ceil((to - first) / level);
  if (lowest === highest) return extentOf(lowest, c0, c1);
  const ends = [extentOf(lowest, c0, c1), extentOf(highest, c0, c1)];
  return extentOf(ends.flatMap((extent) => extent ?? []));
}

/** Runs of so many dumps are drawn dump by dump on any screen. */
const FEWEST_COLUMNS = 1536;
/** A window that becomes a little wider changes nothing. */
const COLUMNS_STEP = 256;

/** How many columns to ask for, where the plot is so many device pixels wide. */
export function columnsFor(devicePixels: number): number {
  return Math.max(FEWEST_COLUMNS, Math.ceil(devicePixels / COLUMNS_STEP) * COLUMNS_STEP);
}

/**
 * What to ask for where `span` is looked at: a quarter of it more at either side, so that small pans need nothing, at
 * ends that are the same for like spans, and as many more columns as it is wider.
 */
export function rangeAround([from, to]: DumpSpan, dumps: number, columns: number): Range {
  const shown = Math.max(1, to - from);
  const step = 2 ** Math.max(0, Math.floor(Math.log2(shown / 8)));
  const first = Math.max(0, Math.floor((from - shown / 4) / step) * step);
  const end = Math.min(dumps, Math.ceil((to + shown / 4) / step) * step);
  const wider = (columns * (end - first)) / shown;
  return { columns: Math.ceil(wider / COLUMNS_STEP) * COLUMNS_STEP, span: [first, end] };
}
