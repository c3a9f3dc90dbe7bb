import type { Stretch } from '../kernel/axis.ts';
import type { Columns } from '../kernel/columns.ts';
import type { Lut, Theme } from '../kernel/colour.ts';
import { reduceMean, type Reduce } from '../kernel/raster.ts';
import { knownPart } from './stripes.ts';
import type { Surface } from './surface.ts';

export interface PixelChart {
  readonly cells: Columns<Uint8Array>;
  readonly order: Int32Array;
  readonly lut: Lut;
  readonly y: number;
  readonly h: number;
  /** First drawn row, as a position, and height of a row in pixels. */
  readonly top: number;
  readonly rowHeight: number;
}

/** Samples from top to bottom, dumps from left to right: correct or not. */
export function drawPixelChart(surface: Surface, axis: Stretch, theme: Theme, chart: PixelChart): void {
  drawCells(surface, axis, theme, chart, reduceMean);
  drawChartFrame(surface, axis, theme, chart);
}

/** The matrix itself; missing cells let the hatch through. */
export function drawCells(
  surface: Surface,
  axis: Stretch,
  theme: Theme,
  chart: PixelChart,
  reduce: Reduce,
): void {
  const { cells, order, lut, top, rowHeight, y, h } = chart;
  const { col1, shown } = knownPart(axis, cells.length);
  const pixels = reduce(
    { data: cells.data, stride: cells.stride, order, lut },
    {
      row0: top,
      row1: top + h / rowHeight,
      col0: axis.d0,
      col1,
      width: Math.max(1, Math.round(shown * surface.density)),
      height: Math.max(1, Math.round(h * surface.density)),
    },
    cells.length,
  );
  surface.rect(axis.x0, y, axis.width, h, { fill: theme.skeleton });
  if (pixels.data.includes(0)) surface.hatch(axis.x0, y, shown, h, theme.hatch, theme.hatchGround);
  if (shown > 0) surface.pixels(pixels, axis.x0, y, shown, h);
}

/** The frame around it, and beside it which part of its rows is shown. */
export function drawChartFrame(surface: Surface, axis: Stretch, theme: Theme, chart: PixelChart): void {
  const { y, h } = chart;
  surface.frame(axis.x0 - 0.5, y - 0.5, axis.width + 1, h + 1, { stroke: theme.ink, width: 1 });
  drawScrollThumb(surface, axis, theme, chart);
}

/** Does the chart scroll inside? */
export function isCut(chart: PixelChart): boolean {
  return chart.order.length * chart.rowHeight > chart.h + 1;
}

function drawScrollThumb(surface: Surface, axis: Stretch, theme: Theme, chart: PixelChart): void {
  if (!isCut(chart)) return;
  const whole = chart.order.length * chart.rowHeight;
  const length = Math.max(16, (chart.h / whole) * chart.h);
  const y = chart.y + ((chart.top * chart.rowHeight) / (whole - chart.h)) * (chart.h - length);
  surface.rect(axis.x0 + axis.width + 3, chart.y, 4, chart.h, { fill: theme.faint, radius: 2 });
  surface.rect(axis.x0 + axis.width + 3, y, 4, length, { fill: theme.ink3, radius: 2 });
}
