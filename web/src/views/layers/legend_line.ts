import { levelText } from '../../kernel/detail.ts';
import { drawColourScale, drawHorizonScale } from '../../marks/colour_scale.ts';
import type { Surface } from '../../marks/surface.ts';
import { filterWords } from './legend_words.ts';
import type { Scene } from './scene.ts';

/** The legend in one line, for exported pictures and where the side panel is closed. */
export function drawLegendLine(surface: Surface, scene: Scene, x: number, y: number): void {
  const { theme, view, layout } = scene;
  const words = { size: 10, fill: theme.ink2 };
  let at = x;
  const level = scene.detail ? levelText(scene.detail) : '';
  surface.text(level, scene.width - 10, scene.axisY + 12, { ...words, anchor: 'end' });
  const node = layout.rows.find((row) => row.kind === 'chart')?.node;
  if (view.chart === 'horizon' && node !== undefined) {
    if (view.ownScale) {
      surface.text('scale of its own for each chart: at the right', at, y, words);
      at += 240;
    } else {
      drawHorizonScale(surface, theme, scene.scales.horizon(node), { x: at, y: y - 5, w: 150, h: 10 });
      at += 250;
    }
  } else if (view.chart === 'box') {
    const of = scene.boxesOf === 'filters' ? 'filters' : `all ${scene.boxesOf}`;
    surface.text(`box: quartiles and median of ${of}; whiskers are cut at the edge`, at, y, words);
    at += 350;
  }
  const charts = layout.rows.flatMap((row) => (row.kind === 'filters' ? [scene.filterChart(row, 0)] : []));
  if (charts.length === 0) return;
  const signed = charts.some((chart) => chart !== null && chart.middle > 0);
  const ramp = signed ? theme.divergingRamp : theme.changeRamp;
  drawColourScale(surface, theme, ramp, { x: at, y: y - 5, w: 110, h: 10 }, [signed ? '−1' : '0', '1']);
  surface.text(filterWords(view), at + 122, y, words);
}
