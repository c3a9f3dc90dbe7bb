import type { Axis } from '../kernel/axis.ts';
import type { BoxBin } from '../kernel/boxes.ts';
import type { Theme } from '../kernel/colour.ts';
import { yOf, type Scale } from '../kernel/series.ts';
import { drawChartBorder, drawScale } from './chart_ground.ts';
import type { Surface } from './surface.ts';

export interface BoxChart {
  readonly y: number;
  readonly h: number;
  readonly bins: readonly BoxBin[];
  readonly scale: Scale;
}

const WIDEST = 14;
const NARROWEST = 2;

/** Whisker from the least to the largest value, box between the quartiles, a line at the median. */
export function drawBoxChart(surface: Surface, axis: Axis, theme: Theme, chart: BoxChart): void {
  const { y, h, bins, scale } = chart;
  surface.rect(axis.x0, y, axis.width, h, { fill: theme.panel });
  drawChartBorder(surface, axis, theme, y, h);
  drawScale(surface, axis, theme, scale, y, h);
  const at = yOf(scale, y, h);
  surface.clipped(axis.x0, y, axis.width, h, () => {
    for (const bin of bins) drawBox(surface, theme, bin, at);
  });
}

function drawBox(surface: Surface, theme: Theme, bin: BoxBin, at: (value: number) => number): void {
  const middle = (bin.x0 + bin.x1) / 2;
  const w = Math.max(NARROWEST, Math.min(WIDEST, (bin.x1 - bin.x0) * 0.64));
  surface.line([middle, at(bin.max), middle, at(bin.min)], { stroke: theme.ink3, width: 1 });
  const top = at(bin.q3);
  const height = Math.max(1, at(bin.q1) - top);
  surface.rect(middle - w / 2, top, w, height, { fill: theme.horizonNegative[1] });
  // A thin box must still be seen behind its median.
  const thickness = height < 4 ? 1 : 1.5;
  const median = at(bin.median) - thickness / 2;
  surface.rect(middle - w / 2, median, w, thickness, { fill: theme.ink });
}
