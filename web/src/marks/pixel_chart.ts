import type { Axis } from '../kernel/axis.ts';
import type { Columns } from '../kernel/columns.ts';
import type { Lut, Theme } from '../kernel/colour.ts';
import { reduceMean } from '../kernel/raster.ts';
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
export function drawPixelChart(surface: Surface, axis: Axis, theme: Theme, chart: PixelChart): void {
  const { cells, order, lut, top, rowHeight, y, h } = chart;
  const { col1, shown } = knownPart(axis, cells.length);
  const pixels = reduceMean(
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
  surface.frame(axis.x0 - 0.5, y - 0.5, axis.width + 1, h + 1, { stroke: theme.ink, width: 1 });
  drawScrollThumb(surface, axis, theme, chart);
}

function drawScrollThumb(surface: Surface, axis: Axis, theme: Theme, chart: PixelChart): void {
  const whole = chart.order.length * chart.rowHeight;
  if (whole <= chart.h + 1) return;
  const length = Math.max(16, (chart.h / whole) * chart.h);
  const y = chart.y + ((chart.top * chart.rowHeight) / (whole - chart.h)) * (chart.h - length);
  surface.rect(axis.x0 + axis.width + 3, chart.y, 4, chart.h, { fill: theme.faint, radius: 2 });
  surface.rect(axis.x0 + axis.width + 3, y, 4, length, { fill: theme.ink3, radius: 2 });
}
