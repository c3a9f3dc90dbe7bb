import { centreOf, pixelsPerDump, xOf } from '../../kernel/axis.ts';
import { valueText } from '../../kernel/format.ts';
import type { LayerRow } from '../../kernel/layer_layout.ts';
import type { SpineHit } from '../../kernel/spine_geometry.ts';
import { drawBrush, drawOutline } from '../../marks/brush.ts';
import { filterRow } from '../../marks/filter_chart.ts';
import { drawIterationPill } from '../../marks/iteration_axis.ts';
import { drawLink } from '../../marks/links.ts';
import { drawSpineHighlight } from '../../marks/spine.ts';
import type { Surface } from '../../marks/surface.ts';
import { valueX } from './draw_charts.ts';
import { drawWholeSpine, followsPointer, linkFrame, linksOf, visibleRows } from './draw_static.ts';
import type { Hover } from './hit.ts';
import { barsEnd, geometryOf, HEAD, screenY, type Focus, type Scene } from './scene.ts';

export interface Dynamic {
  readonly hover: Hover | null;
  /** Selected dumps, [from, to). */
  readonly brush: readonly [number, number] | null;
  readonly focus: Focus;
}

/** Everything that changes while the pointer moves; drawn over the static picture many times a second. */
export function drawDynamic(surface: Surface, scene: Scene, dynamic: Dynamic): void {
  const { axis, theme } = scene;
  const { hover, brush, focus } = dynamic;
  if (followsPointer(scene)) drawWholeSpine(surface, scene, focus);
  if (brush) drawBrush(surface, axis, theme, brush[0], brush[1], HEAD.barY - 2, scene.axisY);
  surface.clipped(0, HEAD.height, scene.width, scene.axisY - HEAD.height, () => {
    if (focus.counts) drawTopFilters(surface, scene, focus);
    drawFoundFilters(surface, scene);
    drawSelectedFilter(surface, scene);
    if (hover?.row) drawHoveredRow(surface, scene, hover, hover.row);
  });
  const node = hoveredNode(scene, hover);
  if (node !== null) drawConnection(surface, scene, node, hover?.spine ?? null);
  if (hover?.spine) drawSpineLabel(surface, scene, hover.spine);
  const dump = hover?.dump ?? null;
  if (dump !== null && dump < axis.iterations.length) drawCursor(surface, scene, dump);
}

function drawCursor(surface: Surface, scene: Scene, dump: number): void {
  const { axis, theme } = scene;
  const x = centreOf(axis, dump);
  surface.line([x, HEAD.barY - 2, x, scene.axisY], { stroke: theme.panel, width: 2.6, alpha: 0.5 });
  surface.line([x, HEAD.barY - 2, x, scene.axisY], { stroke: theme.highlight, width: 1 });
  drawIterationPill(surface, axis, theme, dump, scene.axisY, theme.highlight);
}

/** The shown node that the pointer is about: its own chart, or that of the nearest module above. */
function hoveredNode(scene: Scene, hover: Hover | null): number | null {
  if (hover?.row) return hover.row.node;
  const hit = hover?.spine;
  if (!hit) return null;
  let node = hit.kind === 'bar' ? hit.node : nodeOfRow(scene, hit.row);
  while (node > 0 && !scene.isShown(node)) node = scene.network.nodes[node].parent;
  return node > 0 ? node : null;
}

function nodeOfRow(scene: Scene, row: number): number {
  const { layer } = scene.spine.rows[row];
  return layer === null ? -1 : scene.network.nodeOfLayer[layer];
}

/** Bar, link and chart of one node belong together: all three are marked. */
function drawConnection(surface: Surface, scene: Scene, node: number, hit: SpineHit | null): void {
  const { theme, spine } = scene;
  const link = linksOf(scene).find((l) => l.node === node);
  if (link) drawLink(surface, theme, link, linkFrame(scene), 'highlighted');
  drawSpineHighlight(surface, theme, spine, geometryOf(scene), hit ?? { kind: 'bar', node });
  if (!hit) return;
  const row = visibleRows(scene).find((r) => r.node === node);
  if (row) outlineChart(surface, scene, row);
}

function outlineChart(surface: Surface, scene: Scene, row: LayerRow): void {
  const { axis, theme } = scene;
  const y = screenY(scene, row.y);
  surface.clipped(0, HEAD.height, scene.width, scene.axisY - HEAD.height, () =>
    drawOutline(surface, theme, axis.x0 - 0.5, y - 0.5, axis.width + 1, row.h + 1, theme.highlight),
  );
}

/** The name beside the spine: rows of a deep network are too low for words. */
function drawSpineLabel(surface: Surface, scene: Scene, hit: SpineHit): void {
  const { theme, spine, network } = scene;
  const geometry = geometryOf(scene);
  const bar = hit.kind === 'bar' ? spine.barOf.get(hit.node) : null;
  const row = hit.kind === 'row' ? spine.rows[hit.row] : null;
  const label = row ? row.label : hit.kind === 'bar' ? network.nodes[hit.node].name : '';
  const at = bar ? (bar.segments[0][0] + bar.segments[0][1]) / 2 : row ? row.y + row.h / 2 : 0;
  const y = Math.max(HEAD.height + 9, Math.min(scene.height - 14, geometry.y + at));
  const width = label.length * 6.1 + 14;
  const x = barsEnd(spine) + 8;
  surface.rect(x, y - 9, width, 18, { fill: theme.highlight, radius: 4 });
  const ink = theme.name === 'light' ? '#ffffff' : '#14181d';
  surface.text(label, x + 7, y, { size: 10.5, weight: 600, fill: ink });
}

function drawHoveredRow(surface: Surface, scene: Scene, hover: Hover, row: LayerRow): void {
  const { axis, theme } = scene;
  const y = screenY(scene, row.y);
  if (row.kind === 'filters') {
    const chart = scene.filterChart(row, y);
    const at = chart && hover.filter !== null ? filterRow(chart, hover.filter) : null;
    if (at) drawOutline(surface, theme, axis.x0 - 1, at.y - 1, axis.width + 2, at.h + 2, theme.ink);
    return;
  }
  outlineChart(surface, scene, row);
  const here = hover.dump === null ? null : scene.readingAt(row.node, hover.dump);
  if (hover.dump === null || !here) return;
  const [from, to] = here.of ?? [hover.dump, hover.dump + 1];
  const w = Math.max(2, pixelsPerDump(axis) * (to - from));
  surface.frame(xOf(axis, (from + to) / 2) - w / 2, y, w, row.h, { stroke: theme.highlight, width: 1 });
  const label = valueText(here.mean);
  const width = label.length * 6.2 + 12;
  const x = valueX(scene) - 6;
  surface.rect(x, y + row.h / 2 - 9, width, 18, { fill: theme.highlight, radius: 4 });
  const ink = theme.name === 'light' ? '#ffffff' : '#14181d';
  surface.text(label, x + 6, y + row.h / 2, { size: 10.5, weight: 600, fill: ink });
}

/** Filters of the finding that is looked at have a tick beside their rows. */
function drawFoundFilters(surface: Surface, scene: Scene): void {
  const { axis, theme, found } = scene;
  if (!found) return;
  for (const row of visibleRows(scene)) {
    if (row.kind !== 'filters' || row.layer !== found.layer) continue;
    const chart = scene.filterChart(row, screenY(scene, row.y));
    for (const filter of found.filters) {
      const at = chart && filterRow(chart, filter);
      if (!at) continue;
      const h = Math.max(1.5, at.h);
      surface.rect(axis.x0 - 5, at.y, 5, h, { fill: theme.highlight });
      surface.rect(axis.x0 + axis.width, at.y, 5, h, { fill: theme.highlight });
    }
  }
}

function drawSelectedFilter(surface: Surface, scene: Scene): void {
  const { axis, theme, view } = scene;
  if (!view.filter) return;
  const [layer, filter] = view.filter;
  for (const row of visibleRows(scene)) {
    if (row.kind !== 'filters' || row.layer !== layer) continue;
    const chart = scene.filterChart(row, screenY(scene, row.y));
    const at = chart && filterRow(chart, filter);
    if (at) drawOutline(surface, theme, axis.x0 - 1, at.y - 1, axis.width + 2, at.h + 2, theme.highlight);
  }
}

/** Layers without a top filter are veiled; in an unfolded layer the top filters have a tick at the dump. */
function drawTopFilters(surface: Surface, scene: Scene, focus: Focus): void {
  const { axis, theme, network } = scene;
  for (const row of visibleRows(scene)) {
    const y = screenY(scene, row.y);
    const count = network.nodes[row.node].layers.reduce((n, layer) => n + (focus.counts?.[layer] ?? 0), 0);
    if (count === 0) surface.rect(axis.x0, y, axis.width, row.h, { fill: theme.veil, alpha: 0.62 });
    else drawCount(surface, scene, `${count} of top ${scene.view.top}`, y);
    if (row.kind === 'filters') drawTopRows(surface, scene, row, y, focus);
  }
}

function drawCount(surface: Surface, scene: Scene, label: string, y: number): void {
  const { axis, theme } = scene;
  const width = label.length * 5.7 + 12;
  surface.rect(axis.x0 + 5, y + 4, width, 16, { fill: theme.panel, radius: 8, alpha: 0.92 });
  surface.text(label, axis.x0 + 11, y + 12, { size: 10, weight: 600, fill: theme.ink });
}

function drawTopRows(
  surface: Surface,
  scene: Scene,
  row: Extract<LayerRow, { kind: 'filters' }>,
  y: number,
  focus: Focus,
): void {
  const { axis, theme } = scene;
  const chart = scene.filterChart(row, y);
  if (!chart) return;
  const w = Math.max(3, pixelsPerDump(axis));
  const x = centreOf(axis, focus.dump) - w / 2;
  for (const filter of focus.top(row.layer)) {
    const at = filterRow(chart, filter);
    if (!at) continue;
    surface.rect(x, at.y, w, Math.max(1.5, at.h), { fill: theme.highlight });
    surface.rect(axis.x0 - 5, at.y, 4, Math.max(1.5, at.h), { fill: theme.highlight });
  }
}
