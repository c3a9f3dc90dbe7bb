import { describe, expect, it } from 'vitest';
import {
  breakdown,
  countAt,
  entriesOf,
  errorOf,
  evaluated,
  groupsOf,
  matrixOf,
  orderedClasses,
  OTHERS,
  type ConfusionTable,
} from '../../src/kernel/confusion.ts';
import { integer, seeded } from '../random.ts';

const NONE: ReadonlySet<number> = new Set();

/** Cells by [true, predicted, count, before]. */
function tableOf(classes: number, cells: readonly (readonly number[])[], two = false): ConfusionTable {
  const sorted = [...cells].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const offsets = Int32Array.from(
    { length: classes + 1 },
    (_, c) => sorted.filter(([cls]) => cls < c).length,
  );
  const column = (i: number) => Int32Array.from(sorted, (cell) => cell[i] ?? 0);
  return { offsets, predicted: column(1), count: column(2), before: two ? column(3) : null };
}

const TABLE = tableOf(3, [
  [0, 0, 6],
  [0, 2, 2],
  [0, -2, 2],
  [0, -1, 10],
  [1, 1, 4],
  [1, 7, 1],
]);

describe('counts and shares', () => {
  it('leave out what was not evaluated, and count no number as wrong', () => {
    expect(evaluated(TABLE, 0)).toBe(10);
    expect(errorOf(TABLE, 0)).toBeCloseTo(0.4);
    expect(countAt(TABLE, 0, 2)).toEqual({ count: 2, of: 10 });
    expect(countAt(TABLE, 0, -1)).toEqual({ count: 10, of: 20 });
    expect(errorOf(TABLE, 2)).toBeNaN();
    expect(countAt(TABLE, 9, 0)).toEqual({ count: 0, of: 0 });
    expect(breakdown(TABLE, 0).map(({ label }) => label)).toEqual([-1, 0, -2, 2]);
  });
});

describe('the matrix', () => {
  it('has all classes in order, and behind them what is no class of the samples', () => {
    const matrix = matrixOf(TABLE, [2, 0, 1], NONE);
    expect([...matrix.rows]).toEqual([2, 0, 1]);
    expect([...matrix.columns]).toEqual([2, 0, 1, 7, -2, -1]);
    expect(matrix.classes).toBe(3);
  });

  it('restricted to some classes, has one column for all others', () => {
    const matrix = matrixOf(TABLE, [0, 1, 2], new Set([0, 1]));
    expect([...matrix.columns]).toEqual([0, 1, 7, OTHERS, -2, -1]);
    const entries = entriesOf(TABLE, matrix);
    const others = [...entries.column].findIndex((column) => matrix.columns[column] === OTHERS);
    expect([entries.row[others], entries.count[others]]).toEqual([0, 2]);
    expect(entries.share[others]).toBeCloseTo(0.2);
  });

  it('keeps every sample of a row, whatever is left out', () => {
    const random = seeded(5);
    for (let round = 0; round < 40; round++) {
      const classes = 2 + integer(random, 6);
      const cells = new Map<string, number[]>();
      for (let i = 0; i < 30; i++) {
        const cell = [integer(random, classes), integer(random, classes + 3) - 2];
        cells.set(cell.join(), [...cell, 1 + integer(random, 9), integer(random, 9)]);
      }
      const table = tableOf(classes, [...cells.values()], true);
      const order = Array.from({ length: classes }, (_, i) => classes - 1 - i);
      const only = new Set(order.filter(() => random() < 0.6));
      const matrix = matrixOf(table, order, only);
      const entries = entriesOf(table, matrix);
      matrix.rows.forEach((cls, row) => {
        const sum = (values: Int32Array) =>
          values.reduce((s, n, i) => s + (entries.row[i] === row ? n : 0), 0);
        const part = (values: Int32Array) => values.subarray(table.offsets[cls], table.offsets[cls + 1]);
        expect(sum(entries.count)).toBe(part(table.count).reduce((s, n) => s + n, 0));
        expect(sum(entries.before as Int32Array)).toBe(
          part(table.before as Int32Array).reduce((s, n) => s + n, 0),
        );
      });
    }
  });

  it('of two dumps has the change of shares', () => {
    const table = tableOf(
      1,
      [
        [0, 0, 4, 1],
        [0, 1, 1, 3],
      ],
      true,
    );
    const entries = entriesOf(table, matrixOf(table, [0], NONE));
    expect([...entries.share].map((share) => share.toFixed(2))).toEqual(['0.55', '-0.55']);
  });
});

describe('orders', () => {
  const names = ['b10', 'b9', 'a', 'c'];
  const facts = { names, error: [0.3, 0.1, Number.NaN, 0.2], cluster: [0, 1, -1, 0], confused: [3, 1, 0] };

  it('are by name, error, cluster (then error) or confusion; what is not known comes last', () => {
    expect([...orderedClasses('name', facts)]).toEqual([2, 1, 0, 3]);
    expect([...orderedClasses('error', facts)]).toEqual([1, 3, 0, 2]);
    expect([...orderedClasses('cluster', facts)]).toEqual([3, 0, 1, 2]);
    expect([...orderedClasses('confusion', facts)]).toEqual([3, 1, 0, 2]);
  });

  it('are by error until clusters and confused classes are known', () => {
    const waiting = { ...facts, cluster: null, confused: null };
    expect([...orderedClasses('cluster', waiting)]).toEqual([1, 3, 0, 2]);
    expect([...orderedClasses('confusion', waiting)]).toEqual([1, 3, 0, 2]);
  });

  it('have clusters side by side', () => {
    expect(groupsOf([3, 0, 1, 2], facts.cluster)).toEqual([
      { cluster: 0, from: 0, to: 2 },
      { cluster: 1, from: 2, to: 3 },
    ]);
  });
});
