import { centreOf, nearestDump, pixelsPerDump, xOf } from '../../kernel/axis.ts';
import { shortened } from '../../kernel/format.ts';
import { pixelsRowOf } from '../../kernel/layout.ts';
import { drawBrush, drawOutline } from '../../marks/brush.ts';
import { drawIterationPill } from '../../marks/iteration_axis.ts';
import type { Surface } from '../../marks/surface.ts';
import { drawGlyph } from '../../marks/triangles.ts';
import { glyphsOf } from './draw_static.ts';
import type { Hover } from './hit.ts';
import { HEAD, rowKey, sampleHeight, screenY, type Scene } from './scene.ts';

export interface Dynamic {
  readonly hover: Hover | null;
  /** Selected dumps, [from, to). */
  readonly brush: readonly [number, number] | null;
  /** Position of the selected sample in its drawn class. */
  readonly selected: { readonly cls: number; readonly position: number } | null;
}

/** Everything that changes while the pointer moves; drawn over the static picture many times a second. */
export function drawDynamic(surface: Surface, scene: Scene, dynamic: Dynamic): void {
  const { axis, theme } = scene;
  if (dynamic.brush) {
    drawBrush(surface, axis, theme, dynamic.brush[0], dynamic.brush[1], HEAD.chartY - 4, scene.axisY);
  }
  surface.clipped(0, HEAD.height, scene.width, scene.axisY - HEAD.height, () => {
    drawSelected(surface, scene, dynamic);
    drawSelectedAnomaly(surface, scene);
    if (dynamic.hover) drawHoveredRow(surface, scene, dynamic.hover);
  });
  const dump = dynamic.hover?.dump;
  if (dump !== null && dump !== undefined && dump < axis.iterations.length) drawCursor(surface, scene, dump);
}

function drawCursor(surface: Surface, scene: Scene, dump: number): void {
  const { axis, theme } = scene;
  const x = centreOf(axis, dump);
  surface.line([x, HEAD.chartY - 4, x, scene.axisY], { stroke: theme.panel, width: 2.6, alpha: 0.5 });
  surface.line([x, HEAD.chartY - 4, x, scene.axisY], { stroke: theme.highlight, width: 1 });
  drawIterationPill(surface, axis, theme, dump, scene.axisY, theme.highlight);
}

function drawSampleOutline(
  surface: Surface,
  scene: Scene,
  cls: number,
  position: number,
  stroke: string,
): void {
  const row = pixelsRowOf(scene.layout, cls);
  if (!row || position < 0) return;
  const h = sampleHeight(row);
  const top = screenY(scene, row.y);
  const y = top + (position - scene.chartTop(cls)) * h;
  if (y + h <= top || y >= top + row.h) return;
  const { axis, theme } = scene;
  surface.clipped(axis.x0 - 4, top - 3, axis.width + 12, row.h + 6, () =>
    drawOutline(surface, theme, axis.x0 - 1, y - 1, axis.width + 2, h + 2, stroke),
  );
}

function drawSelected(surface: Surface, scene: Scene, dynamic: Dynamic): void {
  const { selected } = dynamic;
  if (selected) drawSampleOutline(surface, scene, selected.cls, selected.position, scene.theme.highlight);
}

function drawSelectedAnomaly(surface: Surface, scene: Scene): void {
  const { axis, theme, view } = scene;
  if (!view.anomaly) return;
  const [cls, iteration] = view.anomaly;
  const dump = nearestDump(axis.iterations, iteration);
  if (dump < Math.floor(axis.d0) || dump >= axis.d1) return;
  const stripe = scene.layout.rows.find((row) => row.kind === 'class' && row.cls === cls);
  if (stripe) {
    const middle = screenY(scene, stripe.y) + stripe.h / 2;
    const glyph = glyphsOf(scene, cls).find((g) => g.members.some((m) => m.dump === dump));
    if (glyph) drawGlyph(surface, theme, glyph, middle, theme.highlight);
  }
  const chart = pixelsRowOf(scene.layout, cls);
  if (chart) {
    const y = screenY(scene, chart.y);
    const w = Math.max(3, pixelsPerDump(axis));
    drawOutline(surface, theme, centreOf(axis, dump) - w / 2, y, w, chart.h, theme.highlight);
  }
}

function drawHoveredRow(surface: Surface, scene: Scene, hover: Hover): void {
  const key = hover.row && rowKey(hover.row);
  const row = key ? scene.layout.rows.find((r) => rowKey(r) === key) : undefined;
  if (!row) return;
  const { axis, theme } = scene;
  const y = screenY(scene, row.y);
  if (row.kind === 'pixels') {
    if (hover.position !== null) drawSampleOutline(surface, scene, row.cls, hover.position, theme.ink);
    return;
  }
  if (row.kind === 'flips') return;
  drawOutline(surface, theme, axis.x0 - 0.5, y - 0.5, axis.width + 1, row.h + 1, theme.highlight);
  if (row.kind === 'class' && row.thin) drawThinLabel(surface, scene, scene.names[row.cls], y + row.h / 2);
  if (hover.glyph && row.kind === 'class')
    drawGlyph(surface, theme, hover.glyph, y + row.h / 2, theme.highlight);
  if (hover.dump !== null) {
    const w = Math.max(2, pixelsPerDump(axis));
    surface.frame(xOf(axis, hover.dump + 0.5) - w / 2, y, w, row.h, { stroke: theme.highlight, width: 1 });
  }
}

function drawThinLabel(surface: Surface, scene: Scene, name: string, middle: number): void {
  const { theme, axis } = scene;
  const label = shortened(name, 26);
  const width = label.length * 6 + 14;
  surface.rect(axis.x0 - 10 - width, middle - 9, width, 18, { fill: theme.highlight, radius: 4 });
  const ink = theme.name === 'light' ? '#ffffff' : '#14181d';
  surface.text(label, axis.x0 - 17, middle, { size: 10.5, weight: 600, fill: ink, anchor: 'end' });
}
