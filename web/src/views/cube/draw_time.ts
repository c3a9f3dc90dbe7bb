import { axisTicks, centreOf, dumpFrom, type Axis } from '../../kernel/axis.ts';
import { onStage, shareOfLayout } from '../../kernel/cube_geometry.ts';
import { iterationText, stageRateText } from '../../kernel/format.ts';
import { drawErrorChart } from '../../marks/error_lines.ts';
import { drawIterationAxis, drawIterationPill, pillWidth } from '../../marks/iteration_axis.ts';
import { drawStageDashes } from '../../marks/stage_bar.ts';
import type { Surface } from '../../marks/surface.ts';
import type { Scene } from './scene.ts';

/** Everything that hangs on the iterations: stages of the learning rate, both axes, and the overall error. */
const VERTICAL_GAP = 40;
const LETTER = 5.4;

export function isFrontShown({ placement }: Scene): boolean {
  return placement.faces.front.shown >= 0.5;
}

export function isChartShown({ placement }: Scene): boolean {
  return placement.chart.shown >= 0.5;
}

/** How much the top face has an axis of its own: where time runs down beside it, and not before it does. */
function verticalShare({ placement }: Scene): number {
  return Math.max(0, 5 * shareOfLayout(placement, 'flat', 'top') - 4);
}

/** Where each stage but the first begins, as dumps that are in sight. */
export function stageBegins({ stages, iterations, zoom }: Scene): number[] {
  return stages
    .slice(1)
    .map(({ first }) => dumpFrom(iterations, first))
    .filter((dump) => dump > zoom[0] && dump < zoom[1]);
}

export function drawStageLines(surface: Surface, scene: Scene): void {
  const { theme, axis, placement, sizes, zoom, stages } = scene;
  if (isFrontShown(scene)) {
    const { f, d } = placement.faces.front.matrix;
    drawStageDashes(surface, axis, theme, stages, f, f + d);
  }
  if (placement.faces.top.shown < 0.5) return;
  for (const dump of stageBegins(scene)) {
    const from = onStage(placement, 'top', sizes, dump - zoom[0], 0);
    const to = onStage(placement, 'top', sizes, dump - zoom[0], sizes.columns);
    surface.line([...from, ...to], { stroke: '#ffffff', dash: [3, 3], alpha: 0.75 });
  }
}

export function drawTimeAxes(surface: Surface, scene: Scene): void {
  const { theme, axis, axisY } = scene;
  if (isFrontShown(scene)) drawIterationAxis(surface, axis, theme, axisY);
  const vertical = verticalAxis(scene);
  const alpha = verticalShare(scene);
  if (!vertical) return;
  const x = vertical.edge;
  for (const tick of axisTicks(vertical.axis, VERTICAL_GAP)) {
    const y = Math.round(tick.x) + 0.5;
    surface.line([x, y, x + 4, y], { stroke: theme.ink2, alpha });
    surface.text(tick.label, x + 7, y, { size: 10.5, fill: theme.ink2, alpha });
  }
}

/** The axis at the right of the top face, as if it lay: its x is the height on the stage. */
export function verticalAxis(scene: Scene): { readonly axis: Axis; readonly edge: number } | null {
  const { placement, axis } = scene;
  const { matrix, shown } = placement.faces.top;
  if (shown < 0.5 || verticalShare(scene) === 0) return null;
  return { axis: { ...axis, x0: matrix.f, width: Math.max(1, matrix.b) }, edge: matrix.e };
}

/** The iteration of a dump, on every axis that there is. */
export function drawPills(surface: Surface, scene: Scene, dump: number): void {
  const { theme, axis, axisY, iterations } = scene;
  if (isFrontShown(scene)) drawIterationPill(surface, axis, theme, dump, axisY, theme.highlight);
  const vertical = verticalAxis(scene);
  if (!vertical) return;
  const label = iterationText(iterations[dump]);
  const [x, y, w] = [vertical.edge + 4, centreOf(vertical.axis, dump), pillWidth(label)];
  surface.rect(x, y - 9, w, 18, { fill: theme.highlight, radius: 9 });
  const ink = theme.name === 'light' ? '#ffffff' : '#14181d';
  surface.text(label, x + w / 2, y, { size: 10.5, weight: 600, fill: ink, anchor: 'middle' });
}

export function drawOverallError(surface: Surface, scene: Scene): void {
  const { theme, axis, overall, placement } = scene;
  if (!overall || !isChartShown(scene)) return;
  const { y, h } = placement.chart;
  const training = overall.training.row(0);
  const validation = overall.validation.row(0);
  surface.rect(axis.x0, y, axis.width, h, { fill: theme.panel });
  drawErrorChart(surface, axis, theme, { y, h, training, validation });
  surface.frame(axis.x0 - 0.5, y - 0.5, axis.width + 1, h + 1, { stroke: theme.line });
  drawStageDashes(surface, axis, theme, scene.stages, y, y + h);
  drawStageNames(surface, scene, y + 9);
  drawKey(surface, scene, training, validation);
}

/** At the end of each stage, as far as there is room for them. */
function drawStageNames(surface: Surface, scene: Scene, y: number): void {
  const { theme, axis, stages, iterations } = scene;
  stages.forEach((stage, i) => {
    const next = stages[i + 1];
    const begins = i === 0 ? 0 : dumpFrom(iterations, stage.first);
    const ends = next ? dumpFrom(iterations, next.first) : iterations.length;
    const at = (dump: number) => axis.x0 + ((cut(dump) - axis.d0) / (axis.d1 - axis.d0)) * axis.width;
    const cut = (dump: number) => Math.max(axis.d0, Math.min(axis.d1, dump));
    const label = `s${i + 1} lr ${stageRateText(stage)}`;
    if (at(ends) - at(begins) < label.length * LETTER + 10) return;
    const width = label.length * LETTER;
    drawGround(surface, scene, at(ends) - 7 - width, y, width + 4);
    surface.text(label, at(ends) - 5, y, { size: 9.6, fill: theme.ink2, anchor: 'end' });
  });
}

/** Words over curves are read on a ground of their own. */
function drawGround(surface: Surface, { theme }: Scene, x: number, y: number, width: number): void {
  surface.rect(x, y - 6, width, 12, { fill: theme.panel, alpha: 0.8, radius: 2 });
}

function drawKey(surface: Surface, scene: Scene, training: Float32Array, validation: Float32Array): void {
  const { theme, axis, placement } = scene;
  const y = placement.chart.y + placement.chart.h - 9;
  const isKnown = (values: Float32Array) => values.some((value) => !Number.isNaN(value));
  let x = axis.x0 + 6;
  const key = (label: string, fill: string) => {
    const width = label.length * LETTER;
    drawGround(surface, scene, x - 2, y, width + 4);
    surface.text(label, x, y, { size: 9.6, weight: 600, fill });
    x += width + 10;
  };
  if (isKnown(training)) key('training', theme.training);
  if (isKnown(validation)) key('validation error', theme.validation);
}
