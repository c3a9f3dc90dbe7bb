import { nearestDump, centreOf } from '../../kernel/axis.ts';
import { countText, lastParts } from '../../kernel/format.ts';
import { layerRowsBetween, type LayerRow } from '../../kernel/layer_layout.ts';
import { placeLinks } from '../../kernel/links.ts';
import { drawMarkLine } from '../../marks/brush.ts';
import { drawIterationAxis } from '../../marks/iteration_axis.ts';
import { drawLinks } from '../../marks/links.ts';
import { drawSpine, drawSpineBadges, type SpinePicture } from '../../marks/spine.ts';
import { drawStageBar, drawStageDashes } from '../../marks/stage_bar.ts';
import type { Surface } from '../../marks/surface.ts';
import { drawChart } from './draw_charts.ts';
import {
  barsEnd,
  geometryOf,
  HANDLE,
  HEAD,
  labelsX,
  screenY,
  spineBottom,
  type Focus,
  type Scene,
} from './scene.ts';
import { titleOf } from './title.ts';

const LABEL_STYLE = {
  module: { size: 12, weight: 600 },
  block: { size: 10.5, weight: 500 },
  layer: { size: 10.5, weight: 400 },
} as const;
const WIDTH_OF_A_LETTER = { module: 6.9, block: 5.9, layer: 5.7 } as const;
const HANDLE_ALPHA = { module: 1, block: 0.75, layer: 0.55 } as const;

/** The picture without anything that follows the pointer; the spine, if its colours do, is drawn over it. */
export function drawStatic(surface: Surface, scene: Scene): void {
  const { axis, theme, axisY } = scene;
  surface.text('Network', 18, HEAD.titleY, { size: 12, weight: 600, fill: theme.ink });
  const { title, hint } = titleOf(scene);
  surface.text(title, axis.x0, HEAD.titleY, { size: 12, weight: 600, fill: theme.ink });
  const hintX = axis.x0 + title.length * 6.9 + 14;
  if (hintX + hint.length * 5.6 < scene.width)
    surface.text(hint, hintX, HEAD.titleY, { size: 10.5, fill: theme.ink3 });
  drawStageBar(surface, axis, theme, scene.stages, HEAD.barY);
  if (!followsPointer(scene)) drawWholeSpine(surface, scene, null);
  drawAllLinks(surface, scene);
  surface.clipped(0, HEAD.height - 1, scene.width, axisY - HEAD.height + 1, () => {
    for (const row of visibleRows(scene)) {
      drawHandleAndLabel(surface, scene, row);
      drawChart(surface, scene, row, screenY(scene, row.y));
    }
  });
  drawStageDashes(surface, axis, theme, scene.stages, HEAD.barY, axisY);
  drawMarks(surface, scene);
  scene.drawFlights(surface, scene);
  drawIterationAxis(surface, axis, theme, axisY);
  drawHiddenRows(surface, scene);
}

/** Whether the spine's colours hang on the dump that is looked at. */
export function followsPointer(scene: Scene): boolean {
  return scene.view.spine === 'value' || scene.view.top > 0;
}

export function visibleRows(scene: Scene): readonly LayerRow[] {
  return layerRowsBetween(scene.layout, scene.scroll, scene.scroll + scene.axisY - HEAD.height);
}

export function drawWholeSpine(surface: Surface, scene: Scene, focus: Focus | null): void {
  const { theme } = scene;
  const picture = spinePicture(scene, focus);
  const bottom = spineBottom(scene);
  surface.clipped(0, HEAD.height - 4, barsEnd(scene.spine) + 40, bottom - HEAD.height + 8, () => {
    drawSpine(surface, theme, picture);
    drawSpineBadges(surface, theme, picture);
  });
  if (scene.spine.height > bottom - HEAD.height + 1) drawSpineScroll(surface, scene);
}

function spinePicture(scene: Scene, focus: Focus | null): SpinePicture {
  const { theme, spine, network } = scene;
  const counts = focus?.counts ?? null;
  const sumOf = (node: number) =>
    network.nodes[node].layers.reduce((sum, layer) => sum + (counts?.[layer] ?? 0), 0);
  return {
    spine,
    geometry: geometryOf(scene),
    fillOf: (row) => (focus?.fill && row.layer !== null ? focus.fill(row.layer) : theme.nodes[row.kind]),
    ...(focus?.fill ? { edge: theme.line } : {}),
    isPale: (layer) => counts !== null && counts[layer] === 0,
    isShown: scene.isShown,
    ...(counts
      ? {
          badgeOfLayer: (layer: number) => counts[layer],
          badgeOfNode: (node: number) => (network.nodes[node].depth === 1 ? sumOf(node) : 0),
        }
      : {}),
  };
}

function drawSpineScroll(surface: Surface, scene: Scene): void {
  const room = spineBottom(scene) - HEAD.height;
  const length = Math.max(16, (room / scene.spine.height) * room);
  const y = HEAD.height + (scene.spineScroll / (scene.spine.height - room)) * (room - length);
  surface.rect(6, HEAD.height, 4, room, { fill: scene.theme.faint, radius: 2 });
  surface.rect(6, y, 4, length, { fill: scene.theme.ink3, radius: 2 });
}

/** Links of the charts that are on the screen, in network order. */
export function linksOf(scene: Scene) {
  const rows = visibleRows(scene);
  const middle = (row: LayerRow) => {
    const top = Math.max(HEAD.height, screenY(scene, row.y));
    const bottom = Math.min(scene.axisY, screenY(scene, row.y + row.h));
    return (top + bottom) / 2;
  };
  const nodes = rows.map((row) => row.node);
  return placeLinks(scene.spine, geometryOf(scene), nodes, rows.map(middle), HEAD.height, spineBottom(scene));
}

export function linkFrame(scene: Scene) {
  const end = barsEnd(scene.spine);
  const byNode = new Map(visibleRows(scene).map((row) => [row.node, row]));
  const endX = (node: number) => {
    const row = byNode.get(node);
    return row ? labelOf(scene, row).begin - 4 : labelsX(scene.axis);
  };
  return { leadX: end, x0: end + 6, x1: labelsX(scene.axis), endX };
}

function drawAllLinks(surface: Surface, scene: Scene): void {
  drawLinks(surface, scene.theme, linksOf(scene), linkFrame(scene));
}

/** The name beside a chart, as much of it as there is room for, and where it begins. */
function labelOf(scene: Scene, row: LayerRow): { text: string; end: number; begin: number } {
  const { axis, network } = scene;
  const letter = WIDTH_OF_A_LETTER[row.level];
  const end = axis.x0 - HANDLE.gap - HANDLE[row.level] - 6;
  const text = lastParts(network.nodes[row.node].name, Math.floor((end - labelsX(axis)) / letter));
  return { text, end, begin: end - text.length * letter };
}

function drawHandleAndLabel(surface: Surface, scene: Scene, row: LayerRow): void {
  const { theme, axis } = scene;
  const y = screenY(scene, row.y);
  const width = HANDLE[row.level];
  const x = axis.x0 - HANDLE.gap - width;
  surface.rect(x, y, width, row.h, { fill: theme.barOn, radius: 2, alpha: HANDLE_ALPHA[row.level] });
  const { text, end } = labelOf(scene, row);
  const fill = row.level === 'module' ? theme.ink : theme.ink2;
  surface.text(text, end, labelY(scene, row), { ...LABEL_STYLE[row.level], fill, anchor: 'end' });
}

/** In the middle of what is seen of the row, as its link is. */
function labelY(scene: Scene, row: LayerRow): number {
  const y = screenY(scene, row.y);
  return (Math.max(HEAD.height + 6, y) + Math.min(scene.axisY - 6, y + row.h)) / 2;
}

function drawMarks(surface: Surface, scene: Scene): void {
  const { axis, theme } = scene;
  for (const iteration of scene.view.marks) {
    const dump = nearestDump(axis.iterations, iteration);
    if (dump < Math.floor(axis.d0) || dump >= axis.d1) continue;
    const x = Math.round(centreOf(axis, dump)) + 0.5;
    drawMarkLine(surface, theme, x, HEAD.barY - 2, scene.axisY);
    surface.polygon(
      [x - 4, HEAD.barY - 9, x + 4, HEAD.barY - 9, x, HEAD.barY - 2],
      { fill: theme.mark },
      null,
    );
  }
}

/** What lies below the axis must be told: rows cut at a gap look like the end. */
function drawHiddenRows(surface: Surface, scene: Scene): void {
  const { theme, axisY, layout, scroll, axis } = scene;
  const bottom = scroll + axisY - HEAD.height;
  const below = layout.rows.filter((row) => row.y + row.h / 2 > bottom).length;
  if (below === 0) return;
  const x = labelsX(axis) + 6;
  const y = axisY + 12;
  surface.line([x, y - 2, x + 4, y + 2, x + 8, y - 2], { stroke: theme.ink2, width: 1.4 });
  surface.text(countText(below, 'more chart'), x + 16, y, { size: 10.5, fill: theme.ink2 });
}
