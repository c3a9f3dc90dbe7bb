import { describe, expect, it } from 'vitest';
import { THEMES } from '../../src/kernel/colour.ts';
import { drawKernel, kernelPixels } from '../../src/marks/kernel_picture.ts';
import { RecordingSurface } from './recording_surface.ts';

const rgb = (pixel: number) => [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255];

describe('kernelPixels', () => {
  it('shows three channels as colours, 0 as mid-grey, the largest magnitude at the end', () => {
    const values = Float32Array.from([0.5, 0, 0, -0.25, 0, 0]);
    const { data, width, height } = kernelPixels(values, [1, 3, 1, 2], 0);
    expect([width, height]).toEqual([2, 1]);
    expect(rgb(data[0])).toEqual([255, 128, 128]);
    expect(rgb(data[1])).toEqual([128, 64, 128]);
    expect(data[0] >>> 24).toBe(255);
  });

  it('takes each filter by its own largest magnitude', () => {
    const values = Float32Array.from([1, -1, 100, -50]);
    const of = (filter: number) => [...kernelPixels(values, [2, 1, 1, 2], filter).data].map(rgb);
    expect(of(0)).toEqual([[255, 255, 255], [0, 0, 0]]); // prettier-ignore
    expect(of(1)).toEqual([[255, 255, 255], [64, 64, 64]]); // prettier-ignore
  });

  it('shows the mean of any other number of channels', () => {
    const values = Float32Array.from([1, 3, -1, 0.5]);
    const { data } = kernelPixels(values, [1, 2, 1, 2], 0);
    expect(rgb(data[0])).toEqual([128, 128, 128]);
    expect(rgb(data[1])).toEqual([255, 255, 255]);
  });

  it('is grey for weights that are all 0, and missing for those that diverged', () => {
    const { data } = kernelPixels(Float32Array.from([0, 0]), [1, 1, 1, 2], 0);
    expect([...data].map(rgb)).toEqual([[128, 128, 128], [128, 128, 128]]); // prettier-ignore
    const diverged = kernelPixels(Float32Array.from([Number.NaN, 2]), [1, 1, 1, 2], 0);
    expect(diverged.data[0]).toBe(0);
    expect(rgb(diverged.data[1])).toEqual([255, 255, 255]);
  });
});

describe('drawKernel', () => {
  it('fits into its square, centred', () => {
    const surface = new RecordingSurface();
    drawKernel(surface, THEMES.light, { width: 4, height: 2, data: new Uint32Array(8).fill(1) }, 10, 20, 40);
    expect(surface.rasters[0]).toMatchObject({ x: 10, y: 30, w: 40, h: 20 });
    expect(surface.hatches).toHaveLength(0);
  });
});
