import { describe, expect, it } from 'vitest';
import { horizonBands, type HorizonBand } from '../../src/kernel/horizon.ts';
import { horizonScale, toPixels, type PixelSeries } from '../../src/kernel/series.ts';
import { integer, seeded } from '../random.ts';

const BOTTOM = 100;
const HEIGHT = 40;

function pixelsOf(values: readonly number[]): PixelSeries {
  return toPixels(values, { d0: 0, d1: values.length, x0: 0, width: values.length });
}

/** How high an area is over the middle of a pixel, as a share of the chart. */
function heightAt({ points }: HorizonBand, pixel: number): number {
  const x = pixel + 0.5;
  for (let i = 2; i + 3 < points.length; i += 2) {
    if (points[i] <= x && x < points[i + 2] && points[i + 1] === points[i + 3])
      return (BOTTOM - points[i + 1]) / HEIGHT;
  }
  return 0;
}

/** The folded value again: the heights of all bands over a pixel, one upon the other. */
function unfolded(areas: readonly HorizonBand[], pixel: number, bandHeight: number): number {
  return areas.reduce((sum, area) => sum + heightAt(area, pixel) * bandHeight * (area.negative ? -1 : 1), 0);
}

describe('horizonBands', () => {
  it('add up to the values, for every number of bands', () => {
    const random = seeded(21);
    for (let round = 0; round < 60; round++) {
      const values = Array.from({ length: 2 + integer(random, 40) }, () => {
        if (random() < 0.2) return 0;
        return random() < 0.1 ? Number.NaN : random() * 2 - 1;
      });
      const scale = horizonScale([[-1, 1]], 1 + (round % 6));
      const areas = horizonBands(pixelsOf(values), scale, BOTTOM, HEIGHT);
      values.forEach((value, pixel) => {
        const expected = Number.isNaN(value) ? 0 : value;
        expect(unfolded(areas, pixel, scale.m / scale.bands)).toBeCloseTo(expected, 5);
      });
    }
  });

  it('stay inside the chart, and come lowest band first', () => {
    const scale = { m: 0.6, bands: 3, signed: true };
    const areas = horizonBands(pixelsOf([0.1, 0.5, 9, -0.3, -Infinity, 0.2]), scale, BOTTOM, HEIGHT);
    for (const { points } of areas) {
      for (let i = 1; i < points.length; i += 2) {
        expect(points[i]).toBeLessThanOrEqual(BOTTOM);
        expect(points[i]).toBeGreaterThanOrEqual(BOTTOM - HEIGHT);
      }
    }
    const bands = areas.map((area) => area.band);
    expect(bands).toEqual([...bands].sort((a, b) => a - b));
    expect(Math.max(...bands)).toBe(2);
  });

  it('keep one extreme dump among many in a pixel, of either sign', () => {
    const values = new Array<number>(300).fill(0.05);
    values[150] = -0.9;
    const axis = { iterations: Float64Array.from(values), d0: 0, d1: 300, x0: 0, width: 3 };
    const areas = horizonBands(toPixels(values, axis), { m: 1, bands: 2, signed: true }, BOTTOM, HEIGHT);
    expect(unfolded(areas, 1, 0.5)).toBeCloseTo(-0.9);
    expect(unfolded(areas, 0, 0.5)).toBeCloseTo(0.05);
  });

  it('are none where nothing is known', () => {
    const scale = { m: 1, bands: 3, signed: false };
    expect(horizonBands(pixelsOf([Number.NaN, Number.NaN]), scale, BOTTOM, HEIGHT)).toEqual([]);
  });
});
