import { describe, expect, it } from 'vitest';
import type { Axis } from '../../src/kernel/axis.ts';
import { extentOf, horizonScale, lineScale, roundUp, runs, toPixels, yOf } from '../../src/kernel/series.ts';
import { integer, seeded } from '../random.ts';

const axisOf = (dumps: number, width: number, d0 = 0, d1 = dumps): Axis => ({
  iterations: Float64Array.from({ length: dumps }, (_, i) => i),
  d0,
  d1,
  x0: 100,
  width,
});

describe('toPixels', () => {
  it('gives each pixel the least, the largest and the mean of its dumps', () => {
    const { min, max, mean, step, x0 } = toPixels([1, 5, 3, 2, 8, 2], axisOf(6, 2));
    expect([...min]).toEqual([1, 2]);
    expect([...max]).toEqual([5, 8]);
    expect([...mean]).toEqual([3, 4]);
    expect([x0, step]).toEqual([100, 1]);
  });

  it('repeats a dump that is wider than a pixel', () => {
    expect([...toPixels([1, 2], axisOf(2, 6)).mean]).toEqual([1, 1, 1, 2, 2, 2]);
    const dense = toPixels([1, 2], axisOf(2, 2), 2);
    expect([...dense.max]).toEqual([1, 1, 2, 2]);
    expect(dense.step).toBe(0.5);
  });

  it('passes over unknown dumps, and is unknown where all are', () => {
    const { min, mean } = toPixels([Number.NaN, 4, Number.NaN, Number.NaN], axisOf(4, 2));
    expect([...min]).toEqual([4, Number.NaN]);
    expect([...mean]).toEqual([4, Number.NaN]);
  });

  it('is unknown beyond the newest dump', () => {
    expect([...toPixels([1, 2], axisOf(4, 4)).max]).toEqual([1, 2, Number.NaN, Number.NaN]);
  });

  it('keeps infinite dumps as extremes, and out of the mean unless they are alone', () => {
    const { min, max, mean } = toPixels([1, 3, Infinity, Infinity, -Infinity, 2], axisOf(6, 3));
    expect([...max]).toEqual([3, Infinity, 2]);
    expect([...min]).toEqual([1, Infinity, -Infinity]);
    expect([...mean]).toEqual([2, Infinity, 2]);
  });

  it('keeps the extremes of what each value is the mean of', () => {
    const envelope = { lowest: [0, 2, Number.NaN, 1], highest: [9, 4, Number.NaN, 2] };
    const { min, max, mean } = toPixels([1, 3, Number.NaN, 1.5], axisOf(4, 2), 1, envelope);
    expect([[...min], [...max], [...mean]]).toEqual([[0, 1], [9, 2], [2, 1.5]]); // prettier-ignore
  });

  it('loses no extreme, however it is zoomed out', () => {
    const random = seeded(6);
    for (let round = 0; round < 60; round++) {
      const values = Array.from({ length: 50 + integer(random, 500) }, () => Math.fround(random() - 0.5));
      const { min, max } = toPixels(values, axisOf(values.length, 7 + integer(random, 40)));
      expect(Math.max(...max)).toBe(Math.max(...values));
      expect(Math.min(...min)).toBe(Math.min(...values));
    }
  });
});

describe('runs', () => {
  it('are the stretches in which something holds', () => {
    const known = [true, true, false, true];
    expect(runs(4, (x) => known[x])).toEqual([[0, 2], [3, 4]]); // prettier-ignore
    expect(runs(0, () => true)).toEqual([]);
  });
});

describe('extentOf', () => {
  it('is that of the finite values of the part that is asked for', () => {
    expect(extentOf([5, Number.NaN, -2, Infinity, 9])).toEqual([-2, 9]);
    expect(extentOf([5, Number.NaN, -2, Infinity, 9], 1, 4)).toEqual([-2, -2]);
    expect(extentOf([Number.NaN, Infinity])).toBeNull();
    expect(extentOf([])).toBeNull();
  });
});

describe('roundUp', () => {
  it('gives the next round number', () => {
    expect([0.3, 0.301, 0.99, 1, 1.1, 7, 97, 1234].map(roundUp)).toEqual([0.3, 0.4, 1, 1, 1.2, 8, 100, 1500]);
    expect(roundUp(3e-7)).toBe(3e-7);
    expect([0, Number.NaN, Infinity, -1].map(roundUp)).toEqual([1, 1, 1, 1]);
  });

  it('is never below, and never far above', () => {
    const random = seeded(12);
    for (let i = 0; i < 500; i++) {
      const value = 10 ** (random() * 20 - 10);
      const round = roundUp(value);
      expect(round).toBeGreaterThanOrEqual(value * (1 - 1e-9));
      expect(round).toBeLessThan(value * 1.35);
    }
  });
});

describe('lineScale', () => {
  it('shows values of both signs from the least to the largest', () => {
    expect(lineScale([[-0.31, 0.18]])).toEqual({ lo: -0.4, hi: 0.2 });
  });

  it('begins at 0 where all values are of one sign', () => {
    expect(lineScale([[0.1, 0.38]])).toEqual({ lo: 0, hi: 0.4 });
    expect(lineScale([[-0.38, -0.1]])).toEqual({ lo: -0.4, hi: 0 });
  });

  it('begins elsewhere where the spread is small against the level', () => {
    const { lo, hi } = lineScale([[0.981, 0.994]]);
    expect(lo).toBeGreaterThan(0.97);
    expect(lo).toBeLessThanOrEqual(0.981);
    expect(hi).toBeGreaterThanOrEqual(0.994);
    expect(lineScale([[0.981, 0.994]], 0.01)).toEqual({ lo: 0, hi: 1 });
  });

  it('covers all charts that share it', () => {
    expect(lineScale([[0, 0.1], null, [-0.4, 0.2]])).toEqual({ lo: -0.4, hi: 0.2 });
  });

  it('has an extent where there is nothing, nothing but 0, or one value', () => {
    expect(lineScale([])).toEqual({ lo: 0, hi: 1 });
    expect(lineScale([null])).toEqual({ lo: 0, hi: 1 });
    expect(lineScale([[0, 0]])).toEqual({ lo: 0, hi: 1 });
    expect(lineScale([[0.7, 0.7]])).toEqual({ lo: 0, hi: 0.8 });
  });
});

describe('horizonScale', () => {
  it('has bands of a round height that reach the largest magnitude', () => {
    expect(horizonScale([[0, 0.85]], 3)).toEqual({ m: expect.closeTo(0.9), bands: 3, signed: false });
    expect(horizonScale([[-0.85, 0.2], null], 2)).toEqual({ m: 1, bands: 2, signed: true });
  });

  it('has an extent where nothing is known', () => {
    expect(horizonScale([null], 3).m).toBeGreaterThan(0);
  });
});

describe('yOf', () => {
  it('puts the ends of the scale at the edges, and what is infinite just beyond', () => {
    const at = yOf({ lo: -1, hi: 3 }, 10, 40);
    expect([at(3), at(-1), at(1)]).toEqual([10, 50, 30]);
    expect(at(Infinity)).toBeLessThan(10);
    expect(at(-Infinity)).toBeGreaterThan(50);
    expect(Number.isFinite(at(Infinity))).toBe(true);
  });
});
