import { mergeGlyphs } from '../../kernel/anomalies.ts';
import { centreOf, nearestDump } from '../../kernel/axis.ts';
import { columnScale } from '../../kernel/detail.ts';
import { countText, iterationText, percentText, shortened } from '../../kernel/format.ts';
import { rowsBetween, type ClassRow, type ClusterRow, type Row } from '../../kernel/layout.ts';
import { drawMarkLine } from '../../marks/brush.ts';
import { drawErrorChart } from '../../marks/error_lines.ts';
import { drawIterationAxis } from '../../marks/iteration_axis.ts';
import { drawStageBar, drawStageDashes } from '../../marks/stage_bar.ts';
import { drawStripes } from '../../marks/stripes.ts';
import type { Surface } from '../../marks/surface.ts';
import { drawGlyph, drawThinGlyph } from '../../marks/triangles.ts';
import { drawOpenedRow } from './draw_opened.ts';
import { HEAD, MARGINS, screenY, type Scene } from './scene.ts';

const THIN_NAME_GAP = 11;

/** The picture without anything that follows the pointer. */
export function drawStatic(surface: Surface, scene: Scene): void {
  drawHead(surface, scene);
  const bottom = scene.axisY;
  surface.clipped(0, HEAD.height, scene.width, bottom - HEAD.height, () => {
    const top = scene.scroll;
    for (const row of rowsBetween(scene.layout, top, top + bottom - HEAD.height))
      drawRow(surface, scene, row);
  });
  drawStageDashes(surface, scene.axis, scene.theme, scene.stages, HEAD.chartY, bottom);
  surface.clipped(0, HEAD.height, scene.width, bottom - HEAD.height, () => {
    drawAllGlyphs(surface, scene);
    drawThinNames(surface, scene);
  });
  drawMarks(surface, scene);
  drawIterationAxis(surface, scene.axis, scene.theme, bottom);
  drawHiddenRows(surface, scene);
}

/** What lies below the axis must be told: rows cut at a gap look like the end. */
function drawHiddenRows(surface: Surface, scene: Scene): void {
  const { theme, axisY, layout, scroll } = scene;
  const bottom = scroll + axisY - HEAD.height;
  const below = layout.rows.filter((row) => row.y + row.h / 2 > bottom && isStripe(row)).length;
  const last = layout.rows[layout.rows.length - 1];
  if (!last || last.y + last.h <= bottom + 1) return;
  const y = axisY + 12;
  surface.line([20, y - 2, 24, y + 2, 28, y - 2], { stroke: theme.ink2, width: 1.4 });
  surface.text(below > 0 ? countText(below, 'more row') : 'more below', 38, y, {
    size: 10.5,
    fill: theme.ink2,
  });
}

function isStripe(row: Row): boolean {
  return row.kind === 'cluster' || row.kind === 'class';
}

function drawHead(surface: Surface, scene: Scene): void {
  const { theme, axis, overall } = scene;
  surface.text('Overall error', 18, HEAD.chartY + 6, { size: 12, weight: 600, fill: theme.ink });
  const key = (x: number, label: string, stroke: string) => {
    surface.line([x, HEAD.chartY + 26, x + 13, HEAD.chartY + 26], { stroke, width: 2 });
    surface.text(label, x + 19, HEAD.chartY + 26, { size: 10.5, fill: theme.ink2 });
  };
  const training = overall.training.row(0);
  const validation = overall.validation.row(0);
  const isKnown = (values: Float32Array) => values.some((value) => !Number.isNaN(value));
  if (isKnown(validation)) key(isKnown(training) ? 92 : 18, 'validation', theme.validation);
  if (isKnown(training)) key(18, 'training', theme.training);
  drawErrorChart(surface, axis, theme, { y: HEAD.chartY, h: HEAD.chartH, training, validation });
  drawStageBar(surface, axis, theme, scene.stages, HEAD.barY);
  const x = axis.x0 + axis.width + 12;
  const newest = (y: number, label: string, value: number, fill: string) => {
    if (Number.isNaN(value)) return;
    surface.text(`${label} ${percentText(value)}`, x, y, { size: 10.5, fill });
  };
  const at = (share: number) => HEAD.chartY + HEAD.chartH * (1 - share);
  const last = Math.min(validation.length, Math.ceil(axis.d1)) - 1;
  const v = validation[last] ?? Number.NaN;
  const t = training[last] ?? Number.NaN;
  const above = v >= t ? -1 : 1;
  const both = !Number.isNaN(v) && !Number.isNaN(t);
  const clash = both ? Math.max(0, 13 - Math.abs(at(v) - at(t))) / 2 : 0;
  newest(at(v) + above * clash, 'validation', v, theme.validation);
  newest(at(t) - above * clash, 'training', t, theme.training);
}

function drawRow(surface: Surface, scene: Scene, row: Row): void {
  const y = screenY(scene, row.y);
  if (row.kind === 'cluster') drawClusterRow(surface, scene, row, y);
  else if (row.kind === 'class') drawClassRow(surface, scene, row, y);
  else drawOpenedRow(surface, scene, row, y);
}

function drawChevron(surface: Surface, scene: Scene, x: number, y: number, open: boolean): void {
  const points = open
    ? [x - 3.5, y - 2, x, y + 2, x + 3.5, y - 2]
    : [x - 2, y - 3.5, x + 2, y, x - 2, y + 3.5];
  surface.line(points, { stroke: scene.theme.ink2, width: 1.4 });
}

function drawClusterRow(surface: Surface, scene: Scene, row: ClusterRow, y: number): void {
  const { theme, axis } = scene;
  const facts = scene.clusterFacts[row.cluster];
  const middle = y + row.h / 2;
  if (!scene.clusterCells) {
    surface.rect(axis.x0, y, axis.width, row.h, { fill: theme.skeleton, radius: 2 });
    return;
  }
  drawChevron(surface, scene, 24, middle, row.open);
  surface.text(`Cluster ${row.cluster + 1}`, 38, middle, { size: 12, weight: 600, fill: theme.ink });
  const count =
    facts.shown < facts.classes
      ? `${facts.shown} of ${countText(facts.classes, 'class', 'classes')}`
      : countText(facts.classes, 'class', 'classes');
  surface.text(count, axis.x0 - 10, middle, { size: 10.5, fill: theme.ink2, anchor: 'end' });
  const source = { ...stripeSource(scene.clusterCells), lut: scene.errorLut };
  drawStripes(surface, axis, theme, source, [{ row: row.cluster, y, h: row.h }]);
  const x = axis.x0 + axis.width + 12;
  surface.text(`final ${percentText(facts.final)}`, x, middle, { size: 10.5, fill: theme.ink2 });
  if (scene.view.anomalies && scene.anomalies)
    drawAnomalyCount(surface, scene, facts.anomalies, x + 66, middle);
}

/** In words where there is room, else as the triangle that the words stand for. */
function drawAnomalyCount(surface: Surface, scene: Scene, count: number, x: number, middle: number): void {
  const { theme, axis } = scene;
  const words = { size: 10.5, fill: count > 0 ? theme.ink2 : theme.ink3 };
  if (axis.x0 >= MARGINS.left) surface.text(countText(count, 'anomaly', 'anomalies'), x, middle, words);
  else if (count > 0) {
    const glyph = { x: x + 5, left: 0.4, right: 0, members: [] };
    drawGlyph(surface, theme, glyph, middle, theme.triangle);
    surface.text(iterationText(count), x + 14, middle, words);
  }
}

function stripeSource(cells: { data: Uint8Array; stride: number; length: number }) {
  return { data: cells.data, stride: cells.stride, length: cells.length };
}

function drawClassRow(surface: Surface, scene: Scene, row: ClassRow, y: number): void {
  const { theme, axis } = scene;
  const errors = scene.classErrors;
  if (errors) {
    const source = { ...stripeSource(errors.error), lut: scene.errorLut };
    drawStripes(surface, columnScale(axis, errors.detail), theme, source, [{ row: row.cls, y, h: row.h }]);
  }
  if (row.thin) return;
  const middle = y + row.h / 2;
  drawChevron(surface, scene, 46, middle, row.open);
  const name = shortened(scene.names[row.cls], Math.floor((axis.x0 - 58 - 46) / 6));
  surface.text(name, 58, middle, {
    size: 10.5,
    weight: row.open ? 600 : 400,
    fill: row.open ? theme.ink : theme.ink2,
  });
  const final = percentText(scene.final[row.cls]);
  surface.text(final, axis.x0 - 10, middle, { size: 10.5, fill: theme.ink2, anchor: 'end' });
  const found = scene.anomalies?.get(row.cls)?.length ?? 0;
  if (scene.view.anomalies && found > 0) {
    const label = countText(found, 'anomaly', 'anomalies');
    surface.text(label, axis.x0 + axis.width + 12, middle, { size: 10.5, fill: theme.ink2 });
  }
}

/** Triangles lie above the stage dashes, so they are drawn after them. */
function drawAllGlyphs(surface: Surface, scene: Scene): void {
  if (!scene.view.anomalies || !scene.anomalies) return;
  const top = scene.scroll;
  for (const row of rowsBetween(scene.layout, top, top + scene.axisY - HEAD.height)) {
    if (row.kind !== 'class') continue;
    const y = screenY(scene, row.y);
    for (const glyph of glyphsOf(scene, row.cls)) {
      if (row.thin) drawThinGlyph(surface, scene.theme, glyph, y, row.h);
      else drawGlyph(surface, scene.theme, glyph, y + row.h / 2, scene.theme.triangle);
    }
  }
}

/** Thin stripes have no room for all names: those with most anomalies get theirs, as far as names do not collide. */
function drawThinNames(surface: Surface, scene: Scene): void {
  const { theme, axis, layout } = scene;
  const count = (row: ClassRow) => scene.anomalies?.get(row.cls)?.length ?? 0;
  const thin = layout.rows.filter((row) => row.kind === 'class').filter((row) => row.thin);
  const taken = new Set<number>();
  const slot = (y: number) => Math.floor(y / THIN_NAME_GAP);
  for (const row of thin.sort((a, b) => count(b) - count(a))) {
    const middle = row.y + row.h / 2;
    const at = slot(middle);
    if ([at - 1, at, at + 1].some((near) => taken.has(near))) continue;
    taken.add(at);
    const y = screenY(scene, middle);
    if (y < HEAD.height - 8 || y > scene.axisY + 8) continue;
    const name = shortened(scene.names[row.cls], Math.floor((axis.x0 - 40) / 6));
    surface.line([axis.x0 - 6, y, axis.x0 - 2, y], { stroke: theme.ink3 });
    surface.text(name, axis.x0 - 10, y, { size: 10, fill: theme.ink2, anchor: 'end' });
  }
}

export function glyphsOf(scene: Scene, cls: number) {
  const { axis } = scene;
  const shown = (scene.anomalies?.get(cls) ?? []).filter(
    (a) => a.dump >= Math.floor(axis.d0) && a.dump < axis.d1,
  );
  return mergeGlyphs(shown, (dump) => centreOf(axis, dump), scene.view.th / 100);
}

function drawMarks(surface: Surface, scene: Scene): void {
  const { axis } = scene;
  for (const iteration of scene.view.marks) {
    const dump = nearestDump(axis.iterations, iteration);
    if (dump < Math.floor(axis.d0) || dump >= axis.d1) continue;
    const x = Math.round(centreOf(axis, dump)) + 0.5;
    drawMarkLine(surface, scene.theme, x, HEAD.chartY - 4, scene.axisY);
    surface.polygon(
      [x - 4, HEAD.chartY - 10, x + 4, HEAD.chartY - 10, x, HEAD.chartY - 3],
      { fill: scene.theme.mark },
      null,
    );
  }
}
