import { shareOfLayout, type Layout } from '../../kernel/cube_geometry.ts';
import { placeLinks, type Link } from '../../kernel/links.ts';
import type { Theme } from '../../kernel/colour.ts';
import { drawLinks, type LinkFrame } from '../../marks/links.ts';
import { drawSpine } from '../../marks/spine.ts';
import type { Surface } from '../../marks/surface.ts';
import { CLASS_LABEL, labelsX, LAYER_LABEL, rowsX, type ClassLabel, type LayerLabel } from './labels.ts';
import { rowsBox, rowScale, spineGeometry, SPINE_LEFT, type Scene } from './scene.ts';

/** What stands around the faces: the network with its links to the layers, names, and titles. */
export function drawMargins(surface: Surface, scene: Scene): void {
  drawNetwork(surface, scene);
  for (const label of scene.layerLabels) drawLayerLabel(surface, scene, label, 'plain');
  for (const label of scene.classLabels) {
    const isPinned = scene.view.pinnedClasses.includes(label.span.cls);
    drawClassLabel(surface, scene, label, isPinned ? 'pinned' : 'plain');
  }
}

/** All layers, those without an anomaly filter pale; arcs of skips would be a black block in so little room. */
function drawNetwork(surface: Surface, scene: Scene): void {
  const { spine, network, theme } = scene;
  if (!spine || !network) return;
  const active = new Set(scene.model.layers.map(({ layer }) => layer));
  drawSpine(surface, theme, {
    spine: { ...spine, arcs: [] },
    geometry: spineGeometry(scene),
    fillOf: (row) => theme.nodes[row.kind],
    isPale: (layer) => !active.has(layer),
    isShown: (node) => network.nodes[node].layers.some((layer) => active.has(layer)),
  });
  drawLinks(surface, theme, linksOf(scene), linkFrame(scene));
}

/** From the bar of each named layer to its name. */
export function linksOf(scene: Scene): Link[] {
  const { spine, network, layerLabels } = scene;
  if (!spine || !network) return [];
  const { y, h } = rowsBox(scene);
  const nodes = layerLabels.map(({ span }) => network.nodeOfLayer[span.layer]);
  const ends = layerLabels.map((label) => label.y);
  return placeLinks(spine, spineGeometry(scene), nodes, ends, y, y + h, Math.min(3, h / (nodes.length + 1)));
}

export function linkFrame(scene: Scene): LinkFrame {
  const end = SPINE_LEFT.barsX + (scene.spine?.barsWidth ?? 0);
  const names = labelsX(scene);
  const byNode = new Map(
    scene.layerLabels.map((label) => [scene.network?.nodeOfLayer[label.span.layer] ?? -1, label]),
  );
  const endX = (node: number) => {
    const label = byNode.get(node);
    return label ? Math.max(names, label.x - label.text.length * LAYER_LABEL.letter - 4) : names;
  };
  return { leadX: end, x0: Math.min(end + 6, names - 12), x1: names, endX };
}

type Style = 'plain' | 'pinned' | 'highlighted';

function inkOf(theme: Theme, style: Style): { readonly fill: string; readonly weight: number } {
  if (style === 'plain') return { fill: theme.ink2, weight: 400 };
  return { fill: style === 'pinned' ? theme.ink : theme.highlight, weight: 650 };
}

/** The name, a leader to the middle of the layer's rows, and a bracket along all of them. */
export function drawLayerLabel(surface: Surface, scene: Scene, label: LayerLabel, style: Style): void {
  const { theme } = scene;
  const { text, x, y, wantedY, span } = label;
  const right = rowsX(scene);
  const stroke = style === 'plain' ? theme.barOn : theme.highlight;
  const [top, height] = [rowsBox(scene).y + span.y * rowScale(scene), span.height * rowScale(scene)];
  surface.rect(right - 5, top, style === 'plain' ? 2 : 3, Math.max(1, height), { fill: stroke });
  const leader = [x + 4, y, right - 13, y, right - 9, wantedY, right - 5, wantedY];
  surface.line(leader, { stroke, width: style === 'plain' ? 0.7 : 1.4, alpha: style === 'plain' ? 0.75 : 1 });
  surface.text(text, x, y, { size: LAYER_LABEL.size, ...inkOf(theme, style), anchor: 'end' });
}

/** Layers without room for a name still have their bracket. */
export function drawBrackets(surface: Surface, scene: Scene): void {
  const [right, y, scale] = [rowsX(scene), rowsBox(scene).y, rowScale(scene)];
  for (const span of scene.model.layers) {
    const height = Math.max(1, span.height * scale);
    surface.rect(right - 5, y + span.y * scale, 2, height, { fill: scene.theme.barOn });
  }
}

export function drawClassLabel(surface: Surface, scene: Scene, label: ClassLabel, style: Style): void {
  const { theme, placement } = scene;
  const angle = (placement.labelAngle * Math.PI) / 180;
  const { x, y, text } = label;
  const ink = inkOf(theme, style);
  const tick = (away: number) => [x - away * Math.cos(angle), y - away * Math.sin(angle)];
  surface.line([...tick(CLASS_LABEL.away), ...tick(3)], { stroke: ink.fill, width: 0.8 });
  surface.text(text, x, y, { size: CLASS_LABEL.size, ...ink, angle: placement.labelAngle });
}

interface Title {
  readonly title: string;
  readonly hint: string;
  readonly x: number;
  readonly y: number;
  /** How much of its layouts is shown. */
  readonly share: number;
  readonly angle?: number;
  readonly anchor?: 'end';
}

const TITLE = { size: 12, weight: 600 } as const;
const TITLE_LETTER = 6.9;

/** Every layout has its own places for titles; on the way some fade, then others come. */
export function drawTitles(surface: Surface, scene: Scene): void {
  const { theme } = scene;
  for (const { title, hint, x, y, share, angle, anchor } of titlesOf(scene)) {
    const alpha = 2 * share - 1;
    if (alpha < 0.02) continue;
    const common = { alpha, ...(angle ? { angle } : {}), ...(anchor ? { anchor } : {}) };
    surface.text(title, x, y, { ...TITLE, fill: theme.ink, ...common });
    if (angle || !hint) continue;
    const away = title.length * TITLE_LETTER + 10;
    if (anchor) surface.text(hint, x, y + 16, { size: 10.5, fill: theme.ink3, ...common });
    else if (x + away + hint.length * 5.3 < scene.width) {
      surface.text(hint, x + away, y, { size: 10.5, fill: theme.ink3, ...common });
    }
  }
}

const RULES = { left: '▽ left rule', right: '△ right rule', either: '▽ left rule, △ right rule' } as const;
const ROWS = { filter: 'filter', set: 'mini-set', layer: 'layer' } as const;

function titlesOf(scene: Scene): Title[] {
  const { placement, measure, model, limits, rule } = scene;
  const { front, top, right } = placement.faces;
  const shareOf = (...layouts: readonly Layout[]) => shareOfLayout(placement, ...layouts);
  const layers = { x: 16, y: right.matrix.f - 16 };
  const short = measure.replace(/ \(.*/, '');
  const cells = limits.cells === 'counts' ? 'anomaly filters × classes' : 'mini-sets × classes';
  const correlation = { title: 'Correlation view', hint: cells };
  const validation = { title: 'Validation view' };
  const rate = 'error rate per class';
  return [
    { title: 'Layer view', hint: `${short} per ${ROWS[model.by]}`, ...layers, share: front.shown },
    { title: 'Layers', hint: '', ...layers, share: 1 - front.shown },
    {
      ...validation,
      hint: `${rate} over iterations; ${RULES[rule]}`,
      x: top.matrix.e + 4,
      y: top.matrix.f - 13,
      share: shareOf('cube'),
    },
    {
      ...validation,
      hint: `${rate}, time runs down; ${RULES[rule]}`,
      x: right.matrix.e,
      y: top.matrix.f - 32,
      share: shareOf('flat', 'top'),
    },
    { ...correlation, x: scene.width - 8, y: belowLabels(scene), share: shareOf('cube'), anchor: 'end' },
    {
      ...correlation,
      x: right.matrix.e + right.matrix.a + 16,
      y: right.matrix.f + 2,
      share: shareOf('flat', 'top'),
      angle: 90,
    },
    { ...correlation, x: right.matrix.e, y: right.matrix.f - 16, share: shareOf('front', 'right') },
    {
      title: 'Overall error',
      hint: '',
      x: placement.chart.x,
      y: placement.chart.y - 32,
      share: shareOf('flat'),
    },
  ];
}

const CORRELATION_WIDTH = 150;

/** In the free corner at the lower right, below the names of classes that hang into it. */
function belowLabels({ classLabels, placement, width, height }: Scene): number {
  const angle = (placement.labelAngle * Math.PI) / 180;
  const { f, b, d } = placement.faces.right.matrix;
  let lowest = f + b + d + 40;
  for (const { x, y, text } of classLabels) {
    const length = text.length * CLASS_LABEL.letter;
    if (x + length * Math.cos(angle) > width - CORRELATION_WIDTH) {
      lowest = Math.max(lowest, y + length * Math.sin(angle));
    }
  }
  return Math.min(height - 30, lowest + 18);
}
