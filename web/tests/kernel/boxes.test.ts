import { describe, expect, it } from 'vitest';
import { boxBins, boxExtent } from '../../src/kernel/boxes.ts';
import { Columns } from '../../src/kernel/columns.ts';

const axisOf = (dumps: number, d0 = 0, d1 = dumps) => ({
  iterations: Float64Array.from({ length: dumps }, (_, i) => i),
  d0,
  d1,
  x0: 100,
  width: 600,
});

/** One row each for minimum, quartile, median, quartile, maximum. */
function five(...rows: readonly (readonly number[])[]): Columns<Float32Array> {
  return Columns.of(5, Float32Array.from(rows.flat()));
}

describe('boxBins', () => {
  it('take the extremes of their dumps, and the means of quartiles and medians', () => {
    const [bin] = boxBins(five([-3, -1], [1, 2], [2, 4], [3, 7], [9, 8]), axisOf(2), 1);
    expect(bin).toEqual({ from: 0, to: 2, x0: 100, x1: 700, min: -3, q1: 1.5, median: 3, q3: 5, max: 9 });
  });

  it('are one a dump where there is room', () => {
    const bins = boxBins(five([0, 0], [1, 1], [2, 5], [3, 6], [4, 7]), axisOf(2));
    expect(bins.map((bin) => bin.median)).toEqual([2, 5]);
    expect(bins.map((bin) => bin.x0)).toEqual([100, 400]);
  });

  it('are at most fifty, of equal numbers of dumps, and cover all that is shown', () => {
    const row = Array.from({ length: 730 }, (_, i) => i);
    const bins = boxBins(five(row, row, row, row, row), axisOf(730));
    expect(bins.length).toBeLessThanOrEqual(50);
    expect(bins.slice(0, -1).every((bin) => bin.to - bin.from === 15)).toBe(true);
    expect(bins[0].from).toBe(0);
    expect(bins[bins.length - 1].to).toBe(730);
    bins.slice(1).forEach((bin, i) => expect(bin.from).toBe(bins[i].to));
    const zoomed = boxBins(five(row, row, row, row, row), axisOf(730, 100, 140));
    expect(zoomed).toHaveLength(40);
    expect(zoomed[0]).toMatchObject({ from: 100, median: 100, x0: 100 });
  });

  it('pass over unknown dumps, and leave out what is unknown altogether', () => {
    const gap = Number.NaN;
    const rows = [1, 2, 3, 4, 5].map((v) => [gap, v, gap, gap]);
    const bins = boxBins(five(...rows), axisOf(4), 2);
    expect(bins).toHaveLength(1);
    expect(bins[0]).toMatchObject({ from: 0, to: 2, min: 1, q1: 2, median: 3, q3: 4, max: 5 });
  });

  it('keep what diverged out of the means', () => {
    const rows = [[-Infinity, 0], [0, 1], [Infinity, 2], [Infinity, 3], [Infinity, 4]]; // prettier-ignore
    expect(boxBins(five(...rows), axisOf(2), 1)[0]).toMatchObject({
      min: -Infinity,
      q1: 0.5,
      median: 2,
      q3: 3,
      max: Infinity,
    });
  });

  it('are infinite where nothing else is known', () => {
    const [bin] = boxBins(five(...[1, 2, 3, 4, 5].map(() => [Infinity, Number.NaN])), axisOf(2), 1);
    expect(bin).toMatchObject({ q1: Infinity, median: Infinity, q3: Infinity });
  });

  it('end with the newest dump of a live run', () => {
    const rows = [1, 2, 3, 4, 5].map((v) => [v, v]);
    expect(boxBins(five(...rows), axisOf(6))).toHaveLength(2);
  });
});

describe('boxExtent', () => {
  it('spans the boxes, and whiskers to the length of a box beyond', () => {
    expect(boxExtent(five([-100, -1], [1, 1], [2, 2], [3, 3], [4, 100]), 0, 2)).toEqual([-1, 5]);
  });

  it('ends where the data end', () => {
    expect(boxExtent(five([0, 0], [1, 1], [2, 2], [3, 3], [4, 4]), 0, 2)).toEqual([0, 4]);
  });

  it('looks at the chosen dumps only, and is not known where none of them is', () => {
    const rows = five([0, 10, NaN], [1, 11, NaN], [2, 12, NaN], [3, 13, NaN], [4, 14, NaN]);
    expect(boxExtent(rows, 1, 2)).toEqual([10, 14]);
    expect(boxExtent(rows, 2, 3)).toBeNull();
  });
});
