import { Columns } from './columns.ts';

/**
 * What happened to the samples of one class? Everything is read off the matrix of predicted labels (samples, dumps).
 * A cell of the pixel chart is 1 where the sample is correct, 255 where it is not, 0 where nothing is known.
 */
export const CORRECT = 1;
export const INCORRECT = 255;

export type Labels = Int16Array | Int32Array;

export function cellsOf(labels: Columns<Labels>, truth: number): Columns<Uint8Array> {
  const cells = new Uint8Array(labels.rows * labels.length);
  for (let row = 0; row < labels.rows; row++) {
    const source = labels.row(row);
    for (let d = 0; d < source.length; d++) {
      cells[row * labels.length + d] = source[d] < 0 ? 0 : source[d] === truth ? CORRECT : INCORRECT;
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

/** What a sample was last predicted to be before a dump; -1 where nothing is known. */
export function labelBefore(labels: Columns<Labels>, row: number, dump: number): number {
  for (let d = dump - 1; d >= 0; d--) if (labels.at(row, d) >= 0) return labels.at(row, d);
  return -1;
}

export interface RuleCounts {
  readonly left: Int32Array;
  readonly right: Int32Array;
}

/** For each dump, how many samples flip there after (left) or before (right) a run of at least `window` dumps. */
export function ruleCounts(flips: readonly Flip[], dumps: number, window: number): RuleCounts {
  const left = new Int32Array(dumps);
  const right = new Int32Array(dumps);
  for (const flip of flips) {
    if (flip.before >= window) left[flip.dump]++;
    if (flip.after >= window) right[flip.dump]++;
  }
  return { left, right };
}

/** The flips that make an anomaly at `dump`: those of either rule. */
export function flipsAt(flips: readonly Flip[], dump: number, window: number): Flip[] {
  return flips.filter((f) => f.dump === dump && (f.before >= window || f.after >= window));
}

export interface WrongLabels {
  /** The classes most often predicted in place of the true one, most frequent first. */
  readonly labels: readonly number[];
  /** counts[i][dump]: how many samples are taken for labels[i]; one more row for all others. */
  readonly counts: readonly Int32Array[];
  readonly known: Int32Array;
}

/**
 * 1. Count every wrong label over dumps [from, to).
 * 2. Keep the `limit` most frequent; the rest is one row, so that all rows add up to all errors.
 */
export function wrongLabels(
  labels: Columns<Labels>,
  truth: number,
  limit: number,
  from = 0,
  to = labels.length,
): WrongLabels {
  const totals = new Map<number, number>();
  for (let row = 0; row < labels.rows; row++) {
    const source = labels.row(row);
    for (let d = from; d < to; d++) {
      const label = source[d];
      if (label >= 0 && label !== truth) totals.set(label, (totals.get(label) ?? 0) + 1);
    }
  }
  const top = [...totals].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, limit);
  const kept = top.map(([label]) => label);
  return countLabels(labels, truth, kept);
}

function countLabels(labels: Columns<Labels>, truth: number, kept: readonly number[]): WrongLabels {
  const slot = new Map(kept.map((label, i) => [label, i]));
  const counts = Array.from({ length: kept.length + 1 }, () => new Int32Array(labels.length));
  const known = new Int32Array(labels.length);
  for (let row = 0; row < labels.rows; row++) {
    const source = labels.row(row);
    for (let d = 0; d < source.length; d++) {
      if (source[d] < 0) continue;
      known[d]++;
      if (source[d] !== truth) counts[slot.get(source[d]) ?? kept.length][d]++;
    }
  }
  return { labels: kept, counts, known };
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

/** Rows of the pixel chart, top to bottom, as positions in the matrix. */
export function orderRows(
  how: RowOrder,
  similarity: ArrayLike<number>,
  cells: Columns<Uint8Array>,
): Int32Array {
  const rows = Int32Array.from({ length: cells.rows }, (_, i) => i);
  if (how === 'label') return rows;
  const like = Int32Array.from(similarity);
  const complete = like.length === cells.rows ? like : rows;
  if (how === 'similarity' || cells.length === 0) return complete;
  const last = cells.length - 1;
  return complete.slice().sort((a, b) => cells.at(a, last) - cells.at(b, last));
}
