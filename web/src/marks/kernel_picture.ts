import type { Theme } from '../kernel/colour.ts';
import type { Pixels } from '../kernel/raster.ts';
import type { Surface } from './surface.ts';

/**
 * What does a filter of the first layer look for? Its weights as a picture, one pixel a weight.
 *
 * Three channels are red, green and blue; of any other number the mean is shown in grey. Weights are divided by the
 * filter's own largest magnitude: 0 is mid-grey, so that what it is for and against stand out alike.
 *
 * `values` is (filters, channels, height, width), `shape` these four numbers. Weights that are not finite are missing.
 */
export function kernelPixels(values: Float32Array, shape: readonly number[], filter: number): Pixels {
  const [, channels, height, width] = shape;
  const area = height * width;
  const weights = values.subarray(filter * channels * area, (filter + 1) * channels * area);
  const planes =
    channels === 3
      ? [0, 1, 2].map((channel) => weights.subarray(channel * area, (channel + 1) * area))
      : Array<Float32Array>(3).fill(meanOf(weights, channels, area));
  const largest = planes.reduce((most, plane) => plane.reduce(largerOf, most), 0);
  const data = new Uint32Array(area);
  for (let i = 0; i < area; i++) {
    const [r, g, b] = planes.map((plane) => levelOf(plane[i], largest));
    const isKnown = planes.every((plane) => Number.isFinite(plane[i]));
    data[i] = isKnown ? ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0 : 0;
  }
  return { width, height, data };
}

function meanOf(weights: Float32Array, channels: number, area: number): Float32Array {
  const mean = new Float32Array(area);
  weights.forEach((weight, i) => {
    mean[i % area] += weight / channels;
  });
  return mean;
}

function largerOf(most: number, weight: number): number {
  return Number.isFinite(weight) ? Math.max(most, Math.abs(weight)) : most;
}

function levelOf(weight: number, largest: number): number {
  return Math.round(127.5 + 127.5 * (largest > 0 ? weight / largest : 0));
}

/** As large as fits into a square of `size`, centred; what is missing is hatched. */
export function drawKernel(
  surface: Surface,
  theme: Theme,
  pixels: Pixels,
  x: number,
  y: number,
  size: number,
): void {
  const scale = size / Math.max(pixels.width, pixels.height, 1);
  const w = pixels.width * scale;
  const h = pixels.height * scale;
  const left = x + (size - w) / 2;
  const top = y + (size - h) / 2;
  if (pixels.data.includes(0)) surface.hatch(left, top, w, h, theme.hatch, theme.hatchGround);
  surface.pixels(pixels, left, top, w, h);
  surface.frame(left - 0.5, top - 0.5, w + 1, h + 1, { stroke: theme.line, width: 1 });
}
