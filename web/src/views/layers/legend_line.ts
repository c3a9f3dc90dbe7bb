import { drawColourScale, drawHorizonScale } from '../../marks/colour_scale.ts';
import type { Surface } from '../../marks/surface.ts';
import { boxWords, filterWords } from './legend_words.ts';
import type { Scene } from './scene.ts';

/** The legend in one line, for exported pictures and where the side panel is closed. */
export function drawLegendLine(surface: Surface, scene: Scene, x: number, y: number): void {
  const { theme, view, layout } = scene;
  const words = { size: 10, fill: theme.ink2 };
  let at = x;
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
    surface.text(boxWords(scene), at, y, words);
    at += 470;
  }
  if (!layout.rows.some((row) => row.kind === 'filters')) return;
  drawColourScale(surface, theme, theme.changeRamp, { x: at, y: y - 5, w: 110, h: 10 }, ['0', 'largest']);
  surface.text(filterWords(view), at + 190, y, words);
}
