import type { Stretch } from '../kernel/axis.ts';
import type { Theme } from '../kernel/colour.ts';
import { separateAnchors } from '../kernel/links.ts';
import { reduceMax } from '../kernel/raster.ts';
import { drawCells, drawChartFrame, isCut, type PixelChart } from './pixel_chart.ts';
import { knownPart } from './stripes.ts';
import type { Surface } from './surface.ts';

/** A layer's filters from top to bottom, dumps from left to right; of several in one pixel the one that moves most. */
export interface FilterChart extends PixelChart {
  /** The cell that stands for zero; 0 where no value is negative. */
  readonly middle: number;
  /** Filters that never change: they are hatched and named, since a deep colour alone would not tell them apart. */
  readonly never: ArrayLike<number>;
}

const LABEL_PITCH = 11;
const LABEL_X = 16;
/** Thinner rows are hatched over their neighbours, or they could not be seen. */
const THINNEST_HATCH = 2;

export function drawFilterChart(surface: Surface, axis: Stretch, theme: Theme, chart: FilterChart): void {
  drawCells(surface, axis, theme, chart, (raster, view, columns) =>
    reduceMax(raster, view, columns, chart.middle),
  );
  const { shown } = knownPart(axis, chart.cells.length);
  const never = shownNever(chart);
  surface.clipped(axis.x0, chart.y, axis.width, chart.h, () => {
    for (const { y, h } of never) drawNeverRow(surface, theme, axis.x0, y, shown, h);
  });
  drawChartFrame(surface, axis, theme, chart);
  drawNeverLabels(surface, axis, theme, chart, never);
}

/** Upright dashes, unlike both the colours and the slanted hatch of what is missing. */
export function drawNeverRow(
  surface: Surface,
  theme: Theme,
  x: number,
  y: number,
  w: number,
  h: number,
): void {
  const height = Math.max(THINNEST_HATCH, h);
  const middle = y + h / 2;
  surface.rect(x, middle - height / 2, w, height, { fill: theme.panel });
  surface.line([x, middle, x + w, middle], { stroke: theme.ink2, width: height, dash: [2, 3] });
}

interface NeverRow {
  readonly filter: number;
  readonly y: number;
  readonly h: number;
}

/** Those that are in sight, from top to bottom. */
function shownNever(chart: FilterChart): NeverRow[] {
  const wanted = new Set(Array.from(chart.never));
  const out: NeverRow[] = [];
  chart.order.forEach((filter, position) => {
    if (!wanted.has(filter)) return;
    const row = rowAt(chart, position);
    if (row) out.push({ filter, ...row });
  });
  return out;
}

function rowAt(chart: PixelChart, position: number): { readonly y: number; readonly h: number } | null {
  const y = chart.y + (position - chart.top) * chart.rowHeight;
  const top = Math.max(chart.y, y);
  const bottom = Math.min(chart.y + chart.h, y + chart.rowHeight);
  return bottom - top > 1e-6 ? { y: top, h: bottom - top } : null;
}

/** Where a filter's row lies on the screen, cut to the chart; null where it is scrolled away. */
export function filterRow(
  chart: PixelChart,
  filter: number,
): { readonly y: number; readonly h: number } | null {
  const position = chart.order.indexOf(filter);
  return position < 0 ? null : rowAt(chart, position);
}

/** The filter at a height of the screen; null outside the chart. */
export function filterAt(chart: PixelChart, y: number): number | null {
  if (y < chart.y || y >= chart.y + chart.h) return null;
  return chart.order[Math.floor(chart.top + (y - chart.y) / chart.rowHeight)] ?? null;
}

/** As many names as have room, taken evenly from all, and how many more there are. */
function drawNeverLabels(
  surface: Surface,
  axis: Stretch,
  theme: Theme,
  chart: FilterChart,
  never: readonly NeverRow[],
): void {
  const room = Math.max(1, Math.floor(chart.h / LABEL_PITCH));
  const named = never.length <= room ? never : evenly(never, room - 1);
  const texts = named.map(({ filter }) => `#${filter} never changes`);
  const wanted = named.map(({ y, h }) => y + h / 2);
  if (named.length < never.length) {
    const rest = never.length - named.length;
    texts.push(named.length > 0 ? `+ ${rest} more` : `${rest} never change`);
    wanted.push(chart.y + chart.h);
  }
  const half = Math.min(LABEL_PITCH, chart.h) / 2;
  const placed = separateAnchors(wanted, LABEL_PITCH, chart.y + half, chart.y + chart.h - half);
  const x = axis.x0 + axis.width;
  const from = x + (isCut(chart) ? 9 : 2);
  texts.forEach((text, i) => {
    const isRow = i < named.length;
    if (isRow)
      surface.line([from, wanted[i], x + LABEL_X - 3, placed[i]], { stroke: theme.ink3, width: 0.8 });
    surface.text(text, x + LABEL_X, placed[i], { size: 9.6, fill: isRow ? theme.ink2 : theme.ink3 });
  });
}

function evenly<T>(values: readonly T[], count: number): T[] {
  return Array.from({ length: count }, (_, i) => values[Math.floor(((i + 0.5) * values.length) / count)]);
}
