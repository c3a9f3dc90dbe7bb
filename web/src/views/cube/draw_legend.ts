import { colourAt, type Ramp } from '../../kernel/colour.ts';
import { FULL_COUNT } from '../../kernel/grid_raster.ts';
import { drawRamp } from '../../marks/legend.ts';
import type { Surface } from '../../marks/surface.ts';
import { rectColour } from './draw_faces.ts';
import { AXIS_HEIGHT, rowsBox, type Scene } from './scene.ts';

/** The legend below the network: for exported pictures, and where the side panel is closed. */
const X = 16;
const WIDTH = 84;
const ROW = 15;

export function drawLegend(surface: Surface, scene: Scene): void {
  const { theme, limits } = scene;
  const { y: top, h } = rowsBox(scene);
  let y = Math.min(top + h + AXIS_HEIGHT - 4, scene.height - 4 * ROW);
  const words = { size: 9.6, fill: theme.ink2 };
  const ramp = (label: string, colours: Ramp, high: string) => {
    drawRamp(surface, colours, X, y - 4, WIDTH * 0.55, 8);
    surface.text(`${label}, 0–${high}`, X + WIDTH * 0.55 + 6, y, words);
    y += ROW;
  };
  ramp('error rate', theme.errorRamp, '100 %');
  ramp(scene.measure.replace(/ \(.*/, ''), root(theme.changeRamp), '1');
  if (limits.cells === 'counts') {
    ramp('anomaly filters', root(theme.countRamp), `≥ ${FULL_COUNT}`);
    return;
  }
  surface.line([X, y, X + 34, y], { stroke: theme.barOn, alpha: 0.6 });
  for (const x of [X + 8, X + 22]) surface.rect(x, y - 4, 3.4, 8, { fill: rectColour(scene) });
  surface.text('mini-set, height = filters', X + WIDTH * 0.55 + 6, y, words);
}

/** The ramp as it is used: by the root of the value. */
function root(ramp: Ramp): Ramp {
  return Array.from({ length: 12 }, (_, i) => hex(colourAt(ramp, Math.sqrt(i / 11))));
}

function hex(rgb: readonly number[]): string {
  return `#${rgb.map((value) => value.toString(16).padStart(2, '0')).join('')}`;
}
