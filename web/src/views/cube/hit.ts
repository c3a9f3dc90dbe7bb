import { dumpAt } from '../../kernel/axis.ts';
import { faceAt, type FaceHit, type FaceName } from '../../kernel/cube_geometry.ts';
import { spineHit } from '../../kernel/spine_geometry.ts';
import { glyphAt } from './glyphs.ts';
import { classLabelAt, layerLabelAt } from './labels.ts';
import { AXIS_HEIGHT, spineGeometry, type Scene } from './scene.ts';

/** What lies under a point of the stage, or under the keyboard's cursor. */
export type Place = FaceName | 'chart' | 'axis' | 'layers' | 'classes' | 'spine';

export interface CubeHover {
  readonly place: Place;
  readonly dump: number | null;
  /** Number of the class. */
  readonly cls: number | null;
  /** Number of the layer in the network, and of the filter in its layer. */
  readonly layer: number | null;
  readonly filter: number | null;
  /** A mini-set, and an anomaly iteration of a class: places in the answer. */
  readonly set: number | null;
  readonly column: number | null;
  /** A rectangle of the correlation, or a triangle: not merely its row and column. */
  readonly isHit: boolean;
}

export const NOTHING: Omit<CubeHover, 'place'> = {
  dump: null,
  cls: null,
  layer: null,
  filter: null,
  set: null,
  column: null,
  isHit: false,
};

export function hitAt(scene: Scene, x: number, y: number): CubeHover | null {
  const face = faceAt(scene.placement, scene.sizes, x, y);
  if (face) return HITS[face.face](scene, face, x, y);
  return chartHit(scene, x, y) ?? marginHit(scene, x, y);
}

type HitOfFace = (scene: Scene, at: FaceHit, x: number, y: number) => CubeHover;

const HITS: Readonly<Record<FaceName, HitOfFace>> = {
  front: (scene, { x, y }) => ({ ...NOTHING, place: 'front', dump: dumpOf(scene, x), ...rowUnder(scene, y) }),
  top: (scene, { x, y }, stageX, stageY) => {
    // A triangle may reach beyond the stripe of its class.
    const glyph = glyphAt(scene, stageX, stageY);
    if (glyph) return { ...NOTHING, place: 'top', ...glyph, isHit: true };
    const cls = scene.model.classAt(scene.sizes.columns - y)?.cls ?? null;
    return { ...NOTHING, place: 'top', dump: dumpOf(scene, x), cls };
  },
  right: (scene, { x, y }) => {
    const { model } = scene;
    const cls = model.classAt(x)?.cls ?? null;
    const row = rowUnder(scene, y);
    if (scene.limits.cells === 'counts') return { ...NOTHING, place: 'right', cls, layer: row.layer };
    const column = model.columnAt(x);
    const dump = column === null ? null : model.table.columnDump[column];
    const isHit = row.set !== null && column !== null && model.isHit(row.set, column);
    return { ...NOTHING, place: 'right', cls, column, dump, ...row, isHit };
  },
};

function dumpOf({ zoom, iterations }: Scene, x: number): number | null {
  const dump = Math.floor(zoom[0] + x);
  return dump >= 0 && dump < iterations.length ? dump : null;
}

function rowUnder({ model }: Scene, y: number): Pick<CubeHover, 'layer' | 'filter' | 'set'> {
  const row = model.rowAt(y);
  if (!row) return { layer: null, filter: null, set: null };
  const filter = row.filter === null ? null : model.table.filters[row.filter];
  return { layer: row.span.layer, filter, set: row.set };
}

function chartHit(scene: Scene, x: number, y: number): CubeHover | null {
  const { chart } = scene.placement;
  if (chart.shown < 0.5 || x < scene.axis.x0 || x >= scene.axis.x0 + scene.axis.width) return null;
  const dump = dumpAt(scene.axis, x);
  if (y >= chart.y && y < chart.y + chart.h) return { ...NOTHING, place: 'chart', dump };
  const axisY = scene.axisY;
  return y >= axisY && y < axisY + AXIS_HEIGHT ? { ...NOTHING, place: 'axis', dump } : null;
}

function marginHit(scene: Scene, x: number, y: number): CubeHover | null {
  const layerLabel = layerLabelAt(scene, x, y);
  if (layerLabel) return { ...NOTHING, place: 'layers', layer: layerLabel.span.layer };
  const label = classLabelAt(scene, x, y);
  if (label) return { ...NOTHING, place: 'classes', cls: label.span.cls };
  const { spine } = scene;
  const hit = spine && spineHit(spine, x, y, spineGeometry(scene));
  if (!spine || !hit) return null;
  const row = hit.kind === 'row' ? spine.rows[hit.row].layer : scene.layerOfNode(hit.node);
  return row === null ? null : { ...NOTHING, place: 'spine', layer: row };
}
