import type { HorizonScale, PixelSeries } from './series.ts';

/**
 * Which areas make up a horizon graph? A curve's magnitude is cut into bands of equal height, which are laid over each
 * other, each in a deeper colour than the one below it; what is negative is mirrored upwards, in colours of its own.
 *
 * 1. A pixel shows its most extreme value: one dump that leaps out is seen however many share its pixel.
 * 2. A band's height at a pixel is that part of the magnitude that lies in the band, stretched to the whole chart.
 * 3. Each run of pixels that reaches into a band is one area. Areas come lowest band first: draw them in this order.
 */
export interface HorizonBand {
  readonly negative: boolean;
  /** 0 is the lowest. */
  readonly band: number;
  /** A closed outline as x, y pairs. */
  readonly points: Float64Array;
}

export function horizonBands(
  pixels: PixelSeries,
  scale: HorizonScale,
  bottom: number,
  height: number,
): HorizonBand[] {
  const values = extremes(pixels);
  const bandHeight = scale.m / scale.bands;
  const levels = new Float64Array(values.length);
  const out: HorizonBand[] = [];
  for (let band = 0; band < scale.bands; band++) {
    for (const negative of scale.signed ? [false, true] : [false]) {
      const sign = negative ? -1 : 1;
      for (let x = 0; x < values.length; x++) {
        levels[x] = Math.min(1, (values[x] * sign) / bandHeight - band);
      }
      for (const points of outlines(pixels, levels, bottom, height)) out.push({ negative, band, points });
    }
  }
  return out;
}

/** The value of largest magnitude in each pixel. */
function extremes({ min, max }: PixelSeries): Float32Array {
  return min.map((lo, x) => (Math.abs(lo) > Math.abs(max[x]) ? lo : max[x]));
}

/** One outline for each run of levels above 0: steps, one a pixel; equal neighbours share one. */
function outlines(
  { x0, step }: PixelSeries,
  levels: Float64Array,
  bottom: number,
  height: number,
): Float64Array[] {
  const out: Float64Array[] = [];
  for (let x = 0; x < levels.length;) {
    if (!(levels[x] > 0)) {
      x++;
      continue;
    }
    const points = [x0 + x * step, bottom];
    while (x < levels.length && levels[x] > 0) {
      const level = levels[x];
      const y = bottom - level * height;
      points.push(x0 + x * step, y);
      while (x < levels.length && levels[x] === level) x++;
      points.push(x0 + x * step, y);
    }
    points.push(x0 + x * step, bottom);
    out.push(Float64Array.from(points));
  }
  return out;
}
