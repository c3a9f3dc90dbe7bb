import { centreOf } from '../../kernel/axis.ts';
import { percentText } from '../../kernel/format.ts';
import { drawMarkLine } from '../../marks/brush.ts';
import { drawErrorChart } from '../../marks/error_lines.ts';
import { drawIterationAxis, drawIterationPill } from '../../marks/iteration_axis.ts';
import { drawStageBar, drawStageDashes } from '../../marks/stage_bar.ts';
import type { Surface } from '../../marks/surface.ts';
import { SCRUB, type Scene } from './scene.ts';

/** The iterations below the matrix, with the overall error, the stages of the learning rate, and two handles. */
export function drawScrubber(surface: Surface, scene: Scene): void {
  const { axis, theme, overall, stages, places } = scene;
  const top = places.scrubY;
  const training = overall.training.row(0);
  const validation = overall.validation.row(0);
  drawErrorChart(surface, axis, theme, { y: top + SCRUB.chartY, h: SCRUB.chartH, training, validation });
  const title = { size: 12, weight: 600, fill: theme.ink };
  surface.text('Overall', 18, top + SCRUB.chartY + 6, title);
  surface.text('error', 18, top + SCRUB.chartY + 21, title);
  drawStageBar(surface, axis, theme, stages, top + SCRUB.barY);
  drawStageDashes(surface, axis, theme, stages, top + SCRUB.chartY, top + SCRUB.axisY);
  for (const dump of scene.marks) {
    if (dump >= axis.d0 && dump < axis.d1) {
      drawMarkLine(surface, theme, centreOf(axis, dump), top + SCRUB.chartY, top + SCRUB.axisY);
    }
  }
  drawIterationAxis(surface, axis, theme, top + SCRUB.axisY);
  const last = Math.min(validation.length, Math.ceil(axis.d1)) - 1;
  const x = axis.x0 + axis.width + 12;
  const at = (share: number) => top + SCRUB.chartY + SCRUB.chartH * (1 - share);
  const v = validation[last] ?? Number.NaN;
  const t = training[last] ?? Number.NaN;
  const clash = Math.max(0, 13 - Math.abs(at(v) - at(t))) / 2 || 0;
  const side = v >= t ? -1 : 1;
  const told = (y: number, label: string, value: number, fill: string) => {
    if (!Number.isNaN(value)) surface.text(`${label} ${percentText(value)}`, x, y, { size: 10.5, fill });
  };
  told(at(v) + side * clash, 'validation', v, theme.validation);
  told(at(t) - side * clash, 'training', t, theme.training);
}

/** The handles: which dump is looked at, and which one it is compared with; between them lies what is compared. */
export function drawHandles(surface: Surface, scene: Scene, at: number, to: number | null): void {
  const { axis, theme, places } = scene;
  const [y0, y1] = [places.scrubY + SCRUB.chartY - 4, places.scrubY + SCRUB.axisY];
  if (to !== null) {
    const [from, end] = [Math.min(at, to), Math.max(at, to)].map((dump) => centreOf(axis, dump));
    const left = Math.max(axis.x0, from);
    const right = Math.min(axis.x0 + axis.width, end);
    surface.rect(left, y0, Math.max(0, right - left), y1 - y0, { fill: theme.brush, alpha: 0.12 });
  }
  const handles = to === null || to === at ? [at] : [to, at];
  for (const dump of handles) {
    if (dump + 1 <= axis.d0 || dump >= axis.d1) continue;
    const x = centreOf(axis, dump);
    surface.line([x, y0, x, y1], { stroke: theme.panel, width: 4, alpha: 0.8 });
    surface.line([x, y0, x, y1], { stroke: theme.brush, width: 2 });
    surface.polygon(
      [x - 6, y0 - 2, x + 6, y0 - 2, x, y0 + 6],
      { fill: theme.brush },
      { stroke: theme.panel },
    );
  }
  for (const dump of handles) {
    if (dump >= axis.d0 && dump < axis.d1) drawIterationPill(surface, axis, theme, dump, y1, theme.brush);
  }
}
