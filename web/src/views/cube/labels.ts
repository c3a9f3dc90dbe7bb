import type { ClassSpan, LayerSpan } from '../../kernel/correlation_model.ts';
import { onStage } from '../../kernel/cube_geometry.ts';
import { lastParts, shortened } from '../../kernel/format.ts';
import { dodged, greedy } from '../../kernel/label_dodge.ts';
import { rowScale, rowsBox, type Scene } from './scene.ts';

/** Where do the names of layers and classes stand, and which of them lies under a point? */
export interface LayerLabel {
  readonly span: LayerSpan;
  readonly text: string;
  /** Where the text ends, and where it would stand if there were no others. */
  readonly x: number;
  readonly y: number;
  readonly wantedY: number;
}

export interface ClassLabel {
  readonly span: ClassSpan;
  readonly text: string;
  readonly x: number;
  readonly y: number;
}

export const LAYER_LABEL = { size: 10, letter: 5.5, gap: 10.6, end: 21 } as const;
export const CLASS_LABEL = { size: 9.6, letter: 5.2, gap: 8.8, away: 7 } as const;
/** How much room the names of layers have. */
const LAYER_ROOM = { wide: 96, narrow: 82 } as const;
const WIDE_FROM = 220;
const LONGEST_CLASS = 20;

type Placeable = Omit<Scene, 'layerLabels' | 'classLabels' | 'glyphs'>;

/** The left edge of the rows: of the front, or where there is none of the correlation. */
export function rowsX({ placement }: Pick<Scene, 'placement'>): number {
  return placement.left;
}

/** The common left edge of all names: links end here. */
export function labelsX(scene: Pick<Scene, 'placement'>): number {
  const x = rowsX(scene);
  return x - LAYER_LABEL.end - (x >= WIDE_FROM ? LAYER_ROOM.wide : LAYER_ROOM.narrow);
}

export function layerLabelsOf(scene: Placeable): LayerLabel[] {
  const { y, h } = rowsBox(scene);
  const scale = rowScale(scene);
  const end = rowsX(scene) - LAYER_LABEL.end;
  const letters = Math.floor((end - labelsX(scene)) / LAYER_LABEL.letter);
  const { layers } = scene.model;
  const wanted = layers.map((span) => y + (span.y + span.height / 2) * scale);
  const priority = (i: number) => layers[i].rows.length;
  return dodged(wanted, priority, LAYER_LABEL.gap, y + 4, y + h - 4).map(({ index, at }) => ({
    span: layers[index],
    text: lastParts(scene.layerName(layers[index].layer), letters),
    x: end,
    y: at,
    wantedY: wanted[index],
  }));
}

/** Where the name of a class hangs, below the middle of its column. */
export function classAnchor(
  scene: Pick<Scene, 'placement' | 'sizes'>,
  span: ClassSpan,
): readonly [number, number] {
  const { placement, sizes } = scene;
  const [x, y] = onStage(placement, 'right', sizes, span.x + span.width / 2, sizes.rows);
  return [x + 2, y + CLASS_LABEL.away];
}

export function classText(scene: Pick<Scene, 'nameOf'>, cls: number): string {
  return shortened(scene.nameOf(cls), LONGEST_CLASS);
}

export function classLabelsOf(scene: Placeable): ClassLabel[] {
  const { classes } = scene.model;
  const anchors = classes.map((span) => classAnchor(scene, span));
  // How far apart the lines of text are, not their beginnings.
  const angle = (scene.placement.labelAngle * Math.PI) / 180;
  const across = anchors.map(([x, y]) => x * Math.sin(angle) - y * Math.cos(angle));
  const pinned = new Set(scene.view.pinnedClasses);
  const priority = (i: number) => classes[i].count + (pinned.has(classes[i].cls) ? 1e6 : 0);
  return greedy(across, priority, CLASS_LABEL.gap).map((i) => ({
    span: classes[i],
    text: classText(scene, classes[i].cls),
    x: anchors[i][0],
    y: anchors[i][1],
  }));
}

export function layerLabelAt(scene: Scene, x: number, y: number): LayerLabel | null {
  const right = rowsX(scene);
  if (x < labelsX(scene) - 4 || x >= right) return null;
  const near = (label: LayerLabel) => Math.abs(label.y - y);
  const best = scene.layerLabels.reduce<LayerLabel | null>(
    (found, label) => (found && near(found) <= near(label) ? found : label),
    null,
  );
  return best && near(best) <= LAYER_LABEL.gap / 2 ? best : null;
}

/** The point is turned back into the line of the text. */
export function classLabelAt(scene: Scene, x: number, y: number): ClassLabel | null {
  const angle = (scene.placement.labelAngle * Math.PI) / 180;
  for (const label of scene.classLabels) {
    const [dx, dy] = [x - label.x, y - label.y];
    const along = dx * Math.cos(angle) + dy * Math.sin(angle);
    const away = dy * Math.cos(angle) - dx * Math.sin(angle);
    const length = label.text.length * CLASS_LABEL.letter;
    if (along >= -4 && along <= length + 2 && Math.abs(away) <= CLASS_LABEL.gap / 2) return label;
  }
  return null;
}
