import { columnScale, type Curve } from '../../kernel/detail.ts';
import { valueText } from '../../kernel/format.ts';
import type { ChartRow, FiltersRow, LayerRow } from '../../kernel/layer_layout.ts';
import { guideOf, measureText } from '../../kernel/measures.ts';
import { drawBoxChart } from '../../marks/box_chart.ts';
import { drawFilterChart } from '../../marks/filter_chart.ts';
import { drawHorizon } from '../../marks/horizon.ts';
import { drawLineChart } from '../../marks/line_chart.ts';
import type { Surface } from '../../marks/surface.ts';
import type { Scene } from './scene.ts';

/** Line and box charts have the ends of their scale at their right. */
const SCALE_WIDTH = 54;

/** Where a chart's value is written. */
export function valueX({ axis, view }: Scene): number {
  return axis.x0 + axis.width + (view.chart === 'horizon' ? 10 : SCALE_WIDTH);
}

/** The chart of a node, or the filters of a layer, with its top edge at y on the screen. */
export function drawChart(surface: Surface, scene: Scene, row: LayerRow, y: number): void {
  if (row.kind === 'filters') drawFilters(surface, scene, row, y);
  else drawSeries(surface, scene, row, y);
}

function drawSkeleton(surface: Surface, scene: Scene, row: LayerRow, y: number): void {
  const { axis, theme } = scene;
  surface.rect(axis.x0, y, axis.width, row.h, { fill: theme.skeleton, radius: 2 });
}

function drawSeries(surface: Surface, scene: Scene, row: ChartRow, y: number): void {
  const { axis, theme, view } = scene;
  const curve = scene.curve(row.node);
  if (!curve) {
    drawSkeleton(surface, scene, row, y);
    return;
  }
  if (!curve.mean.some((value) => !Number.isNaN(value))) {
    surface.hatch(axis.x0, y, axis.width, row.h, theme.hatch, theme.hatchGround);
    const label = `${measureText(view.stat).title}: not recorded`;
    surface.rect(axis.x0 + 8, y + row.h / 2 - 9, label.length * 5.8 + 12, 18, {
      fill: theme.panel,
      radius: 4,
    });
    surface.text(label, axis.x0 + 14, y + row.h / 2, { size: 10.5, fill: theme.ink2 });
    return;
  }
  const columns = columnScale(axis, curve.detail);
  const at = { y, h: row.h, values: curve.mean, ...(curve.detail.level > 1 ? { envelope: curve } : {}) };
  if (view.chart === 'horizon') {
    const scale = scene.scales.horizon(row.node);
    drawHorizon(surface, columns, theme, { ...at, scale });
    const range = `${scale.signed ? '±' : '0 – '}${valueText(scale.m)}`;
    const x = axis.x0 + axis.width + 10;
    if (view.ownScale) surface.text(range, x, y + row.h / 2 + 14, { size: 10, fill: theme.ink3 });
    drawNewest(surface, scene, row, y, curve);
  } else if (view.chart === 'line') {
    const scale = scene.scales.line(row.node);
    drawLineChart(surface, columns, theme, { ...at, scale, guide: guideOf(view.stat) });
    drawNewest(surface, scene, row, y, curve);
  } else drawBoxes(surface, scene, row, y, curve);
}

function drawBoxes(surface: Surface, scene: Scene, row: ChartRow, y: number, curve: Curve): void {
  const bins = scene.bins(row.node);
  if (!bins) {
    drawSkeleton(surface, scene, row, y);
    return;
  }
  const scale = scene.scales.line(row.node);
  drawBoxChart(surface, scene.axis, scene.theme, { y, h: row.h, bins, scale });
  drawNewest(surface, scene, row, y, curve);
}

/** At the right: the newest value, beside the ends of the scale where the chart has them. */
function drawNewest(surface: Surface, scene: Scene, row: ChartRow, y: number, curve: Curve): void {
  const { axis, theme } = scene;
  const last = Math.min(curve.mean.length, Math.ceil(columnScale(axis, curve.detail).d1)) - 1;
  const label = valueText(curve.mean[last] ?? Number.NaN);
  surface.text(label, valueX(scene), y + row.h / 2, { size: 10.5, fill: theme.ink2 });
}

function drawFilters(surface: Surface, scene: Scene, row: FiltersRow, y: number): void {
  const chart = scene.filterChart(row, y);
  if (chart) drawFilterChart(surface, columnScale(scene.axis, chart.detail), scene.theme, chart);
  else drawSkeleton(surface, scene, row, y);
}
