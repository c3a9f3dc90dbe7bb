import { describe, expect, it } from 'vitest';
import { recordedDumps } from '../../src/kernel/axis.ts';
import { Columns } from '../../src/kernel/columns.ts';
import {
  cellsOf,
  CORRECT,
  flipsAt,
  flipsOf,
  INCORRECT,
  labelBefore,
  orderRows,
  ruleCounts,
  spellsOf,
  wrongLabels,
} from '../../src/kernel/predictions.ts';
import { integer, seeded } from '../random.ts';

/**
 * The rules as they are written. First the results that count: only recorded dumps, a missing sample as at the recorded
 * dump before, wrong if there is none. Then count equal results before and after every change, one by one.
 */
function literalCounts(cells: number[][], dumps: number, window: number, recorded: readonly number[]) {
  const left = new Array<number>(dumps).fill(0);
  const right = new Array<number>(dumps).fill(0);
  for (const row of cells) {
    const results: boolean[] = [];
    for (const dump of recorded) {
      if (row[dump] === 0) results.push(results.length > 0 ? results[results.length - 1] : false);
      else results.push(row[dump] === CORRECT);
    }
    for (let t = 1; t < results.length; t++) {
      if (results[t] === results[t - 1]) continue;
      let before = 0;
      while (t - 1 - before >= 0 && results[t - 1 - before] === results[t - 1]) before++;
      let after = 0;
      while (t + after < results.length && results[t + after] === results[t]) after++;
      if (before >= window) left[recorded[t]]++;
      if (after >= window) right[recorded[t]]++;
    }
  }
  return { left, right };
}

function randomLabels(random: () => number, rows: number, dumps: number): Int16Array {
  const labels = new Int16Array(rows * dumps);
  for (let r = 0; r < rows; r++) {
    let label = integer(random, 4);
    for (let d = 0; d < dumps; d++) {
      if (random() < 0.25) label = integer(random, 5) - 1;
      labels[r * dumps + d] = label;
    }
  }
  return labels;
}

describe('flips', () => {
  it('are those of the literal rules at every window, with missing samples and dumps', () => {
    const random = seeded(5);
    for (let round = 0; round < 200; round++) {
      const rows = 1 + integer(random, 6);
      const dumps = integer(random, 30);
      const labels = randomLabels(random, rows, dumps);
      const recorded = Array.from({ length: dumps }, (_, d) => d).filter(() => random() > 0.2);
      for (let i = 0; i < labels.length; i++) if (!recorded.includes(i % dumps)) labels[i] = -1;
      const cells = cellsOf(Columns.of(rows, labels), 2);
      const plain = Array.from({ length: rows }, (_, r) => [...cells.row(r)]);
      const flips = flipsOf(cells, recorded);
      for (const window of [1, 2, 3, 7]) {
        const counts = ruleCounts(flips, dumps, window);
        const expected = literalCounts(plain, dumps, window, recorded);
        expect([...counts.left]).toEqual(expected.left);
        expect([...counts.right]).toEqual(expected.right);
      }
    }
  });

  it('say which way a sample went and leave out those of neither rule', () => {
    const cells = cellsOf(Columns.of(2, Int16Array.from([1, 1, 1, 0, 0, 0, 1, 0, 1, 1])), 1);
    expect([...cells.row(0)]).toEqual([CORRECT, CORRECT, CORRECT, INCORRECT, INCORRECT]);
    const flips = flipsOf(cells, [0, 1, 2, 3, 4]);
    const at3 = flipsAt(flips, 3, 2);
    expect(at3).toEqual([
      { row: 0, dump: 3, before: 3, after: 2, becameCorrect: false },
      { row: 1, dump: 3, before: 1, after: 2, becameCorrect: true },
    ]);
    expect(flipsAt(flips, 2, 2)).toEqual([]);
  });
});

describe('missing predictions', () => {
  it('at a dump without any do not end a run, nor lengthen it', () => {
    const cells = cellsOf(Columns.of(1, Int16Array.from([1, 1, -1, 1, 0, -1, 0])), 1);
    expect(flipsOf(cells, [0, 1, 3, 4, 6])).toEqual([
      { row: 0, dump: 4, before: 3, after: 2, becameCorrect: false },
    ]);
  });

  it('of one sample keep its result, and count as wrong before its first', () => {
    const cells = cellsOf(Columns.of(1, Int16Array.from([-1, -1, 1, -1, 0])), 1);
    expect(flipsOf(cells, [0, 1, 2, 3, 4])).toEqual([
      { row: 0, dump: 2, before: 2, after: 2, becameCorrect: true },
      { row: 0, dump: 4, before: 2, after: 1, becameCorrect: false },
    ]);
  });

  it('are seen in the overall error, and the label before skips them', () => {
    expect([...recordedDumps([0.5, Number.NaN, 0])]).toEqual([0, 2]);
    const labels = Columns.of(1, Int16Array.from([-1, 3, -1, 2]));
    expect([0, 1, 2, 3].map((d) => labelBefore(labels, 0, d))).toEqual([-1, -1, 3, 3]);
  });
});

describe('wrongLabels', () => {
  it('counts every error once, the rare ones together', () => {
    const random = seeded(9);
    const labels = Columns.of(7, randomLabels(random, 7, 20));
    const wrong = wrongLabels(labels, 0, 2);
    expect(wrong.labels.length).toBe(2);
    for (let d = 0; d < 20; d++) {
      let errors = 0;
      let known = 0;
      for (let r = 0; r < 7; r++) {
        const label = labels.at(r, d);
        if (label >= 0) known++;
        if (label > 0) errors++;
        if (r === 0) continue;
      }
      expect(wrong.counts.reduce((sum, row) => sum + row[d], 0)).toBe(errors);
      expect(wrong.known[d]).toBe(known);
    }
  });

  it('puts the most frequent first', () => {
    const labels = Columns.of(1, Int16Array.from([3, 3, 2, 3, 1, 2, 0, -1]));
    expect(wrongLabels(labels, 0, 5).labels).toEqual([3, 2, 1]);
  });
});

describe('orderRows', () => {
  it('puts wrong final results below, each group in similarity order', () => {
    const cells = Columns.of(4, Uint8Array.from([1, 255, 255, 1, 1, 1, 255, 255]));
    expect([...orderRows('similarity', [2, 0, 3, 1], cells)]).toEqual([2, 0, 3, 1]);
    expect([...orderRows('label', [2, 0, 3, 1], cells)]).toEqual([0, 1, 2, 3]);
    expect([...orderRows('final', [2, 0, 3, 1], cells)]).toEqual([2, 1, 0, 3]);
  });
});

describe('spellsOf', () => {
  it('joins equal labels', () => {
    expect(spellsOf([4, 4, -1, 2])).toEqual([
      { label: 4, first: 0, last: 1 },
      { label: -1, first: 2, last: 2 },
      { label: 2, first: 3, last: 3 },
    ]);
    expect(spellsOf([])).toEqual([]);
  });
});
