import { bisectLeft } from 'd3-array';
import type { DumpSpan } from './axis.ts';
import { Columns } from './columns.ts';
import { MISSING, UNDEFINED } from './labels.ts';

/**
 * What happened to the samples of one class? Everything is read off the matrix of predicted labels (samples, dumps).
 * A cell of the pixel chart is 1 where the sample is correct, 255 where it is not, 0 where nothing is known.
 */
export const CORRECT = 1;
export const INCORRECT = 255;

export { MISSING, UNDEFINED };

export type Labels = Int16Array | Int32Array;

export function cellsOf(labels: Columns<Labels>, truth: number): Columns<Uint8Array> {
  const cells = new Uint8Array(labels.rows * labels.length);
  for (let row = 0; row < labels.rows; row++) {
    const source = labels.row(row);
    for (let d = 0; d < source.length; d++) {
      cells[row * labels.length + d] = source[d] === MISSING ? 0 : source[d] === truth ? CORRECT : INCORRECT;
    }
  }
  return Columns.of(labels.rows, cells);
}

export interface Flip {
  readonly row: number;
  readonly dump: number;
  /** Recorded dumps just before with the old value, and from this dump on with the new one. */
  readonly before: number;
  readonly after: number;
  readonly becameCorrect: boolean;
}

/**
 * All flips, row by row. Which dumps count, and what a missing sample is, follow the server, whose scores these explain:
 *
 * 1. Only `recorded` dumps count, ascending: where nothing was evaluated, a run of equal results neither grows nor ends.
 * 2. A sample that is missing at a recorded dump keeps its result of the one before; at the first one it is wrong.
 */
export function flipsOf(cells: Columns<Uint8Array>, recorded: ArrayLike<number>): Flip[] {
  const out: Flip[] = [];
  for (let row = 0; row < cells.rows; row++) flipsOfRow(cells.row(row), recorded, row, out);
  return out;
}

/** `begin` and `at` are positions among the recorded dumps; `before` is 0 until the first run has ended. */
function flipsOfRow(cells: Uint8Array, recorded: ArrayLike<number>, row: number, out: Flip[]): void {
  let begin = 0;
  let before = 0;
  let result = INCORRECT;
  const endRun = (at: number) => {
    const becameCorrect = result === CORRECT;
    if (before > 0) out.push({ row, dump: recorded[begin], before, after: at - begin, becameCorrect });
    before = at - begin;
    begin = at;
  };
  let at = 0;
  for (; at < recorded.length && recorded[at] < cells.length; at++) {
    const known = cells[recorded[at]];
    if (known === 0 || known === result) continue;
    if (at > begin) endRun(at);
    result = known;
  }
  endRun(at);
}

/** What a sample was last predicted to be before a dump; MISSING where nothing is known. */
export function labelBefore(labels: Columns<Labels>, row: number, dump: number): number {
  for (let d = dump - 1; d >= 0; d--) if (labels.at(row, d) !== MISSING) return labels.at(row, d);
  return MISSING;
}

/** For each column, how many samples flip there after (left) or before (right) a run as long as the window. */
export interface RuleCounts {
  readonly left: Int32Array;
  readonly right: Int32Array;
}

/** The flips that make an anomaly at `dump`: those of either rule. */
export function flipsAt(flips: readonly Flip[], dump: number, window: number): Flip[] {
  return flips.filter((f) => f.dump === dump && (f.before >= window || f.after >= window));
}

/** The dumps that decide which samples flip at one: so many recorded before it, and as many from it on. */
export function decidingDumps(recorded: Int32Array, dump: number, window: number): DumpSpan {
  const at = bisectLeft(recorded, dump);
  const last = recorded.length - 1;
  const from = recorded[Math.max(0, Math.min(last, at - window))] ?? dump;
  const to = recorded[Math.min(last, at + window - 1)] ?? dump;
  return [Math.min(from, dump), Math.max(to, dump) + 1];
}

/**
 * Do these cells, of dumps from `first` on, say which samples flip where `span` decides it? A sample that is missing at
 * the first of these dumps has the result of one before, so then all dumps are needed.
 */
export function decides(cells: Columns<Uint8Array>, first: number, [from, to]: DumpSpan): boolean {
  if (first > from || first + cells.length < to) return false;
  if (first === 0) return true;
  for (let row = 0; row < cells.rows; row++) if (cells.at(row, from - first) === 0) return false;
  return true;
}

/** How many samples are taken for each of the `kept` wrong labels at a dump, at last for any other; how many are known. */
export interface TakenCounts {
  readonly counts: readonly number[];
  readonly known: number;
}

export function takenAt(
  labels: Columns<Labels>,
  dump: number,
  truth: number,
  kept: ArrayLike<number>,
): TakenCounts {
  const counts = new Array<number>(kept.length + 1).fill(0);
  const slots = Array.from(kept);
  let known = 0;
  for (let row = 0; row < labels.rows; row++) {
    const label = labels.at(row, dump) ?? MISSING;
    if (label !== MISSING) known++;
    if (label === MISSING || label === truth) continue;
    const slot = slots.indexOf(label);
    counts[slot < 0 ? kept.length : slot]++;
  }
  return { counts, known };
}

export interface Spell {
  readonly label: number;
  readonly first: number;
  readonly last: number;
}

/** Runs of equal predicted labels, dumps inclusive. */
export function spellsOf(labels: ArrayLike<number>): Spell[] {
  const out: Spell[] = [];
  let first = 0;
  for (let d = 1; d <= labels.length; d++) {
    if (d < labels.length && labels[d] === labels[first]) continue;
    if (labels.length > 0) out.push({ label: labels[first], first, last: d - 1 });
    first = d;
  }
  return out;
}

export type RowOrder = 'similarity' | 'label' | 'final';

/** Rows of the pixel chart, top to bottom, as positions in the matrix. Final results are the last column of `cells`. */
export function orderRows(
  how: RowOrder,
  similarity: ArrayLike<number>,
  cells: Columns<Uint8Array> | null,
): Int32Array {
  const like = Int32Array.from(similarity);
  if (how === 'label') return like.map((_, row) => row);
  if (how === 'similarity' || !cells || cells.length === 0) return like;
  const last = cells.length - 1;
  return like.sort((a, b) => cells.at(a, last) - cells.at(b, last));
}
