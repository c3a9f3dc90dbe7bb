import { describe, expect, it } from 'vitest';
import { centreOf, xOf, type Axis } from '../../src/kernel/axis.ts';
import {
  columnOf,
  columnScale,
  columnsFor,
  covers,
  dumpsOf,
  extentOver,
  iterationsText,
  levelText,
  rangeAround,
  readingAt,
  whenText,
  type Curve,
  type Detail,
} from '../../src/kernel/detail.ts';
import { integer, seeded } from '../random.ts';

const EVERY: Detail = { level: 1, first: 0, end: 50 };
/** Dumps 32 to 50: two whole columns, and one of two dumps. */
const PART: Detail = { level: 8, first: 32, end: 50 };
const axis: Axis = { iterations: new Float64Array(100), d0: 20, d1: 60, x0: 100, width: 400 };
const curve = (detail: Detail, lowest: number[], mean: number[], highest: number[]): Curve => ({
  detail,
  lowest: Float32Array.from(lowest),
  mean: Float32Array.from(mean),
  highest: Float32Array.from(highest),
});

describe('columns', () => {
  it('are the dumps themselves where every dump has one', () => {
    expect(columnScale(axis, EVERY)).toBe(axis);
    expect(columnOf(EVERY, 17)).toBe(17);
    expect(dumpsOf(EVERY, 17)).toEqual([17, 18]);
  });

  it('stand for dumps, the last for what is left', () => {
    expect([31, 32, 39, 40, 49, 50].map((dump) => columnOf(PART, dump))).toEqual([-1, 0, 0, 1, 2, -1]);
    expect([0, 1, 2].map((column) => dumpsOf(PART, column))).toEqual([[32, 40], [40, 48], [48, 50]]); // prettier-ignore
  });

  it('lie where their dumps lie', () => {
    const scale = columnScale(axis, PART);
    for (const column of [0, 1]) {
      const [from, to] = dumpsOf(PART, column);
      expect(xOf(scale, column)).toBeCloseTo(xOf(axis, from));
      expect(xOf(scale, column + 1)).toBeCloseTo(xOf(axis, to));
      expect(centreOf(scale, column)).toBeCloseTo(xOf(axis, (from + to) / 2));
    }
  });

  it('cover some dumps, or do not', () => {
    expect(covers(PART, [32, 50])).toBe(true);
    expect(covers(PART, [32.5, 40.5])).toBe(true);
    expect(covers(PART, [31, 40])).toBe(false);
    expect(covers(PART, [40, 51])).toBe(false);
  });
});

describe('a curve over columns', () => {
  const reduced = curve(PART, [0, -9, 2], [1, 2, 3], [5, 2, 4]);

  it('is read at a dump: mean and extremes of its column, and which dumps these are of', () => {
    expect(readingAt(reduced, 44)).toEqual({ mean: 2, lowest: -9, highest: 2, of: [40, 48] });
    expect(readingAt(reduced, 10)).toBeNull();
    expect(readingAt(curve(EVERY, [7], [7], [7]), 0)?.of).toBeNull();
  });

  it('spans the extremes of the columns that hold any of the dumps', () => {
    expect(extentOver(reduced, [33, 34])).toEqual([0, 5]);
    expect(extentOver(reduced, [33, 41])).toEqual([-9, 5]);
    expect(extentOver(reduced, [48, 50])).toEqual([2, 4]);
    const mean = Float32Array.from([3, 1, Number.NaN, 2]);
    const every = { detail: { level: 1, first: 0, end: 4 }, mean, lowest: mean, highest: mean };
    expect(extentOver(every, [0, 2])).toEqual([1, 3]);
    expect(extentOver(every, [2, 3])).toBeNull();
  });
});

describe('what is asked for', () => {
  it('does not change with every width of a window, and is every dump of a usual run on any screen', () => {
    expect([300, 900, 1536].map(columnsFor)).toEqual([1536, 1536, 1536]);
    expect([1537, 1700, 1792, 1793].map(columnsFor)).toEqual([1792, 1792, 1792, 2048]);
  });

  it('is the shown dumps with a margin, within the run, and as closely as if they were asked for alone', () => {
    const random = seeded(8);
    for (let round = 0; round < 300; round++) {
      const dumps = 100 + integer(random, 20_000);
      const from = integer(random, dumps - 1);
      const to = from + 1 + integer(random, dumps - from);
      const { span, columns } = rangeAround([from, to], dumps, 1536);
      const [first, end] = span ?? [Number.NaN, Number.NaN];
      const margin = Math.floor((to - from) / 4);
      expect(first).toBeLessThanOrEqual(Math.max(0, from - margin));
      expect(end).toBeGreaterThanOrEqual(Math.min(dumps, to + margin));
      expect(first).toBeGreaterThanOrEqual(0);
      expect(end).toBeLessThanOrEqual(dumps);
      expect(end - first).toBeLessThanOrEqual(2 * (to - from) + 2);
      expect(columns / (end - first)).toBeGreaterThanOrEqual(1536 / (to - from));
    }
  });

  it('is the same for views that differ by little', () => {
    const asked = new Set(
      Array.from({ length: 16 }, (_, i) => String(rangeAround([1000 + i, 2000 + i], 9000, 1536).span)),
    );
    expect(asked.size).toBeLessThanOrEqual(3);
  });
});

describe('words', () => {
  const iterations = Float64Array.from({ length: 50 }, (_, dump) => dump * 1000);

  it('say which iterations a column stands for, and how many dumps', () => {
    expect(iterationsText(iterations, [40, 48])).toBe('40,000 – 47,000');
    expect(levelText(PART)).toBe('Each column: 8 dumps');
    expect(levelText(EVERY)).toBe('');
    expect(whenText(iterations, 44, [40, 48])).toBe('in iterations 40,000 – 47,000 (mean)');
    expect(whenText(iterations, 44, null)).toBe('at iteration 44,000');
  });
});
