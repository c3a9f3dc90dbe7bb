import { quad } from '../../kernel/affine.ts';
import { xOf, type DumpSpan } from '../../kernel/axis.ts';
import { faceMatrix, faceSize, isShown, onStage, type FaceName } from '../../kernel/cube_geometry.ts';
import { drawLink } from '../../marks/links.ts';
import { drawSpineHighlight } from '../../marks/spine.ts';
import type { Surface } from '../../marks/surface.ts';
import { drawClassLabel, drawLayerLabel, linkFrame, linksOf } from './draw_margins.ts';
import {
  fillColumns,
  fillHits,
  fillTriangles,
  lineOfDump,
  outline,
  outlineClass,
  outlineLayer,
  outlineSet,
} from './draw_marks.ts';
import { drawPills, isChartShown } from './draw_time.ts';
import type { CubeHover } from './hit.ts';
import { classAnchor, CLASS_LABEL, classText, LAYER_LABEL } from './labels.ts';
import { spineGeometry, type Scene } from './scene.ts';

/** A rectangle on the right face that is being drawn, in its units. */
export interface Rubber {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

export interface Dynamic {
  readonly hover: CubeHover | null;
  /** Selected dumps, [from, to). */
  readonly brush: DumpSpan | null;
  readonly rubber: Rubber | null;
  /** The face that has the keyboard. */
  readonly focus: FaceName | null;
}

/** Everything that changes while the pointer moves; drawn over the static picture many times a second. */
export function drawDynamic(surface: Surface, scene: Scene, { hover, brush, rubber, focus }: Dynamic): void {
  if (brush) drawBrush(surface, scene, brush);
  if (hover) drawHover(surface, scene, hover);
  if (rubber) drawRubber(surface, scene, rubber);
  if (focus) drawFocus(surface, scene, focus);
}

/** A veil outside the selected dumps, on all that has iterations. */
function drawBrush(surface: Surface, scene: Scene, [from, to]: DumpSpan): void {
  const { zoom, sizes, placement, theme, axis } = scene;
  const cut = (dump: number) => Math.max(0, Math.min(sizes.dumps, dump - zoom[0]));
  const [left, right] = [cut(from), cut(to)];
  const veil = { fill: theme.veil, alpha: 0.58 };
  const edge = { stroke: theme.brush, width: 1.5 };
  for (const [face, length] of [
    ['front', sizes.rows],
    ['top', sizes.columns],
  ] as const) {
    if (!isShown(placement, face)) continue;
    const matrix = faceMatrix(placement, face, sizes);
    surface.polygon(quad(matrix, 0, 0, left, length), veil, null);
    surface.polygon(quad(matrix, right, 0, sizes.dumps, length), veil, null);
    for (const x of [left, right]) surface.line(quad(matrix, x, 0, x, length).slice(2, 6), edge);
  }
  if (!isChartShown(scene)) return;
  const { y, h } = placement.chart;
  const [x0, x1] = [xOf(axis, zoom[0] + left), xOf(axis, zoom[0] + right)];
  surface.rect(axis.x0, y, x0 - axis.x0, h, veil);
  surface.rect(x1, y, axis.x0 + axis.width - x1, h, veil);
  for (const x of [x0, x1]) surface.line([x, y, x, y + h], edge);
}

function drawHover(surface: Surface, scene: Scene, hover: CubeHover): void {
  const { theme, model } = scene;
  const { highlight } = theme;
  const { dump, cls, layer, set, column } = hover;
  if (dump !== null) lineOfDump(surface, scene, dump, highlight);
  const span = cls === null ? null : model.spanOfClass(cls);
  if (span) outlineClass(surface, scene, span, highlight);
  const layerSpan = layer === null ? null : model.spanOfLayer(layer);
  if (set !== null) {
    outlineSet(surface, scene, set, highlight);
    fillHits(surface, scene, set, highlight);
    fillTriangles(surface, scene, set, highlight);
  } else if (layerSpan) outlineLayer(surface, scene, layerSpan, highlight);
  if (column !== null) fillColumns(surface, scene, (other) => other === column, highlight);
  if (layer !== null) drawLayerOf(surface, scene, layer);
  if (span) drawNames(surface, scene, hover, span);
  if (dump !== null) drawPills(surface, scene, dump);
}

/** From the network over the link to the name. */
function drawLayerOf(surface: Surface, scene: Scene, layer: number): void {
  const { theme, spine, network } = scene;
  const label = scene.layerLabels.find(({ span }) => span.layer === layer);
  if (label) {
    const width = label.text.length * LAYER_LABEL.letter + 6;
    surface.rect(label.x - width + 2, label.y - 6, width, 12, { fill: theme.background, alpha: 0.9 });
    drawLayerLabel(surface, scene, label, 'highlighted');
  }
  const node = network?.nodeOfLayer[layer];
  if (!spine || node === undefined) return;
  const link = linksOf(scene).find((one) => one.node === node);
  if (link) drawLink(surface, theme, link, linkFrame(scene), 'highlighted');
  const row = spine.rows.findIndex((one) => one.layer === layer);
  if (row >= 0) drawSpineHighlight(surface, theme, spine, spineGeometry(scene), { kind: 'row', row });
}

type Span = NonNullable<ReturnType<Scene['model']['spanOfClass']>>;

/** The name of the class below its column, over those it would touch, and at the far end of its stripe. */
function drawNames(surface: Surface, scene: Scene, hover: CubeHover, span: Span): void {
  const { theme, placement, sizes } = scene;
  const [x, y] = classAnchor(scene, span);
  const text = classText(scene, hover.cls ?? span.cls);
  const angle = (placement.labelAngle * Math.PI) / 180;
  const [length, half] = [text.length * (CLASS_LABEL.letter + 0.4) + 4, 6];
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const corner = (along: number, away: number) => [
    x + along * cos - away * sin,
    y + along * sin + away * cos,
  ];
  const ground = [corner(-3, -half), corner(length, -half), corner(length, half), corner(-3, half)].flat();
  surface.polygon(ground, { fill: theme.background, alpha: 0.9 }, null);
  drawClassLabel(surface, scene, { span, text, x, y }, 'highlighted');
  if (!isShown(placement, 'top')) return;
  const middle = sizes.columns - span.x - span.width / 2;
  const [endX, endY] = onStage(placement, 'top', sizes, 0, middle);
  const style = { size: 10.5, weight: 650, fill: theme.highlight };
  const isTurned = placement.faces.top.matrix.a < Math.abs(placement.faces.top.matrix.b);
  if (isTurned) surface.text(text, endX, endY - 9, { ...style, anchor: 'middle' });
  else surface.text(text, endX - 9, endY, { ...style, anchor: 'end' });
}

function drawRubber(surface: Surface, scene: Scene, rubber: Rubber): void {
  const { theme } = scene;
  const x0 = Math.min(rubber.x0, rubber.x1);
  const x1 = Math.max(rubber.x0, rubber.x1);
  const y0 = Math.min(rubber.y0, rubber.y1);
  const y1 = Math.max(rubber.y0, rubber.y1);
  const { sizes, placement } = scene;
  const matrix = faceMatrix(placement, 'right', sizes);
  const veil = { fill: theme.veil, alpha: 0.58 };
  surface.polygon(quad(matrix, 0, 0, sizes.columns, y0), veil, null);
  surface.polygon(quad(matrix, 0, y1, sizes.columns, sizes.rows), veil, null);
  surface.polygon(quad(matrix, 0, y0, x0, y1), veil, null);
  surface.polygon(quad(matrix, x1, y0, sizes.columns, y1), veil, null);
  outline(surface, scene, 'right', [x0, y0, x1, y1], theme.brush);
}

/** The ring around the face that has the keyboard, outside its outline. */
function drawFocus(surface: Surface, scene: Scene, face: FaceName): void {
  const { placement, sizes, theme } = scene;
  if (!isShown(placement, face)) return;
  const [w, h] = faceSize(face, sizes);
  const corners = quad(faceMatrix(placement, face, sizes), 0, 0, w, h);
  const ring = [...corners, corners[0], corners[1]];
  surface.line(ring, { stroke: theme.panel, width: 6 });
  surface.line(ring, { stroke: theme.training, width: 2.6 });
}
