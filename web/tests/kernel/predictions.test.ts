import { describe, expect, it } from 'vitest';
import { recordedDumps } from '../../src/kernel/axis.ts';
import { Columns } from '../../src/kernel/columns.ts';
import {
  cellsOf,
  CORRECT,
  decides,
  decidingDumps,
  flipsAt,
  flipsOf,
  INCORRECT,
  labelBefore,
  orderRows,
  spellsOf,
  takenAt,
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
        const expected = literalCounts(plain, dumps, window, recorded);
        const all = Array.from({ length: dumps }, (_, d) => flipsAt(flips, d, window));
        const firing = (side: 'before' | 'after') =>
          all.map((here) => here.filter((flip) => flip[side] >= window).length);
        expect(firing('before')).toEqual(expected.left);
        expect(firing('after')).toEqual(expected.right);
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

describe('the dumps that decide', () => {
  const part = (cells: Columns<Uint8Array>, from: number, to: number) =>
    Columns.of(
      cells.rows,
      Uint8Array.from(
        Array.from({ length: cells.rows }, (_, row) => [...cells.row(row).slice(from, to)]).flat(),
      ),
    );

  it('say of one dump what all say, wherever the part that is held begins', () => {
    const random = seeded(17);
    let decided = 0;
    let undecided = 0;
    for (let round = 0; round < 300; round++) {
      const rows = 1 + integer(random, 4);
      const dumps = 2 + integer(random, 30);
      const recorded = Int32Array.from({ length: dumps }, (_, d) => d).filter(() => random() > 0.2);
      const labels = randomLabels(random, rows, dumps);
      for (let i = 0; i < labels.length; i++) {
        if (!recorded.includes(i % dumps)) labels[i] = -1;
        else if (random() > 0.3) labels[i] = Math.max(0, labels[i]);
      }
      const cells = cellsOf(Columns.of(rows, labels), 2);
      const window = 1 + integer(random, 5);
      const dump = integer(random, dumps);
      const [from, to] = decidingDumps(recorded, dump, window);
      expect(from <= dump && dump < to && to <= dumps).toBe(true);
      const held = part(cells, from, to);
      const inPart = recorded.filter((d) => d >= from).map((d) => d - from);
      const said = (flips: ReturnType<typeof flipsOf>) => flips.map((f) => [f.row, f.becameCorrect]);
      if (decides(held, from, [from, to])) {
        decided++;
        expect(said(flipsAt(flipsOf(held, inPart), dump - from, window))).toEqual(
          said(flipsAt(flipsOf(cells, recorded), dump, window)),
        );
      } else undecided++;
      expect(decides(cells, 0, [from, to])).toBe(true);
    }
    expect(decided).toBeGreaterThan(50);
    expect(undecided).toBeGreaterThan(10);
  });

  it('are all there', () => {
    const cells = Columns.of(1, new Uint8Array(6).fill(CORRECT));
    expect(decides(cells, 4, [4, 10])).toBe(true);
    expect(decides(cells, 4, [3, 10])).toBe(false);
    expect(decides(cells, 4, [4, 11])).toBe(false);
  });
});

describe('missing predictions', () => {
  it('at a dump without any do not end a run, nor lengthen it', () => {
    const cells = cellsOf(Columns.of(1, Int16Array.from([1, 1, -1, 1, 0, -1, -2])), 1);
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

describe('takenAt', () => {
  it('counts every error of a dump once, those of no kept label together', () => {
    const labels = Columns.of(5, Int16Array.from([0, 3, 1, 2, 0, 3, 0, 0, 0, -1]));
    expect(takenAt(labels, 1, 0, [3])).toEqual({ counts: [2, 1], known: 4 });
    expect(takenAt(labels, 0, 0, [3, 1])).toEqual({ counts: [0, 1, 0], known: 5 });
  });
});

describe('orderRows', () => {
  it('puts wrong final results below, each group in similarity order', () => {
    const cells = Columns.of(4, Uint8Array.from([1, 255, 255, 1, 1, 1, 255, 255]));
    expect([...orderRows('similarity', [2, 0, 3, 1], cells)]).toEqual([2, 0, 3, 1]);
    expect([...orderRows('label', [2, 0, 3, 1], cells)]).toEqual([0, 1, 2, 3]);
    expect([...orderRows('final', [2, 0, 3, 1], cells)]).toEqual([2, 1, 0, 3]);
    expect([...orderRows('final', [2, 0, 3, 1], null)]).toEqual([2, 0, 3, 1]);
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
