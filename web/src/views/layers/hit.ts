import { dumpAt } from '../../kernel/axis.ts';
import { layerRowAt, type LayerRow } from '../../kernel/layer_layout.ts';
import { spineHit, type SpineHit } from '../../kernel/spine_geometry.ts';
import { filterAt } from '../../marks/filter_chart.ts';
import {
  AXIS_HEIGHT,
  barsEnd,
  geometryOf,
  HANDLE,
  HEAD,
  labelsX,
  screenY,
  spineBottom,
  type Scene,
} from './scene.ts';

/** What lies under a point of the stage. */
export type Area = 'head' | 'charts' | 'handle' | 'label' | 'axis' | 'spine';

export interface Hover {
  readonly area: Area;
  readonly dump: number | null;
  readonly row: LayerRow | null;
  /** Number of the filter under the pointer. */
  readonly filter: number | null;
  readonly spine: SpineHit | null;
}

const NOTHING = { dump: null, row: null, filter: null, spine: null };

export function hitAt(scene: Scene, x: number, y: number): Hover | null {
  const { axis } = scene;
  if (x <= barsEnd(scene.spine) + 3 && y >= HEAD.height && y < spineBottom(scene)) {
    const spine = spineHit(scene.spine, x, y, geometryOf(scene));
    return spine && { ...NOTHING, area: 'spine', spine };
  }
  const inside = x >= axis.x0 && x < axis.x0 + axis.width;
  const dump = inside ? dumpAt(axis, x) : null;
  if (y < HEAD.height) return inside ? { ...NOTHING, area: 'head', dump } : null;
  if (y >= scene.axisY) {
    return inside && y < scene.axisY + AXIS_HEIGHT ? { ...NOTHING, area: 'axis', dump } : null;
  }
  const row = layerRowAt(scene.layout, y - HEAD.height + scene.scroll);
  if (inside) return { ...NOTHING, area: 'charts', dump, row, filter: filterUnder(scene, row, y) };
  if (!row || x >= axis.x0 || x < labelsX(axis)) return null;
  const onHandle = x >= axis.x0 - HANDLE.gap - HANDLE[row.level];
  return { ...NOTHING, area: onHandle ? 'handle' : 'label', row };
}

function filterUnder(scene: Scene, row: LayerRow | null, y: number): number | null {
  if (row?.kind !== 'filters') return null;
  const chart = scene.filterChart(row, screenY(scene, row.y));
  return chart && filterAt(chart, y);
}
