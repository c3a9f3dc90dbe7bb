import { centreOf, pixelsPerDump, type Stretch } from '../kernel/axis.ts';
import type { Theme } from '../kernel/colour.ts';
import { runs, toPixels, yOf, type PixelSeries, type Scale } from '../kernel/series.ts';
import { drawChartGround, drawScale, type ChartBox, type Guide } from './chart_ground.ts';
import type { Surface } from './surface.ts';

/**
 * A curve over the dumps. Where several share a pixel, or a value, it is their mean, in an envelope from the least to the
 * largest; unknown dumps break it.
 */
export interface LineChart extends ChartBox {
  readonly scale: Scale;
  readonly stroke?: string;
  /** A value to compare with. */
  readonly guide?: Guide | null;
}

export function drawLineChart(surface: Surface, axis: Stretch, theme: Theme, chart: LineChart): void {
  const { y, h, values, scale } = chart;
  const stroke = chart.stroke ?? theme.training;
  const pixels = toPixels(values, axis, 1, chart.envelope);
  drawChartGround(surface, axis, theme, chart, pixels);
  drawScale(surface, axis, theme, scale, y, h, chart.guide ?? null);
  const at = yOf(scale, y, h);
  // One pixel beyond, so that a line along the edge keeps its width.
  surface.clipped(axis.x0, y - 1, axis.width, h + 2, () => {
    const hasRoom = pixelsPerDump(axis) >= 1;
    const known =
      hasRoom && !chart.envelope ? [] : runs(pixels.max.length, (x) => !Number.isNaN(pixels.max[x]));
    for (const [from, to] of known) {
      surface.polygon(envelope(pixels, from, to, at), { fill: stroke, alpha: 0.25 }, null);
      if (!hasRoom) drawCurve(surface, meanLine(pixels, from, to, at), stroke);
    }
    if (hasRoom) for (const points of dumpLines(axis, values, at)) drawCurve(surface, points, stroke);
  });
}

type At = (value: number) => number;

/** A dot where a single dump is known. */
function drawCurve(surface: Surface, points: readonly number[], stroke: string): void {
  if (points.length === 2)
    surface.rect(points[0] - 1.5, points[1] - 1.5, 3, 3, { fill: stroke, radius: 1.5 });
  else surface.line(points, { stroke, width: 1.4 });
}

function dumpLines(axis: Stretch, values: ArrayLike<number>, at: At): number[][] {
  const out: number[][] = [];
  // One dump beyond each end: the line goes on past the edge.
  const first = Math.max(0, Math.floor(axis.d0) - 1);
  const last = Math.min(values.length, Math.ceil(axis.d1) + 1);
  for (let d = first; d < last; d++) {
    if (Number.isNaN(values[d])) continue;
    if (d === first || Number.isNaN(values[d - 1])) out.push([]);
    out[out.length - 1].push(centreOf(axis, d), at(values[d]));
  }
  return out;
}

function envelope({ x0, step, min, max }: PixelSeries, from: number, to: number, at: At): number[] {
  const points: number[] = [];
  for (let x = from; x < to; x++) points.push(x0 + x * step, at(max[x]), x0 + (x + 1) * step, at(max[x]));
  for (let x = to - 1; x >= from; x--)
    points.push(x0 + (x + 1) * step, at(min[x]), x0 + x * step, at(min[x]));
  return points;
}

function meanLine({ x0, step, mean }: PixelSeries, from: number, to: number, at: At): number[] {
  const points: number[] = [];
  for (let x = from; x < to; x++) points.push(x0 + (x + 0.5) * step, at(mean[x]));
  return points;
}
