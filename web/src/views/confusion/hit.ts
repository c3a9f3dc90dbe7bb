import { dumpAt } from '../../kernel/axis.ts';
import { strongestAt } from '../../kernel/confusion_raster.ts';
import { columnX, rowY, SCRUB, shownBox, stepOf, type Scene } from './scene.ts';

/** What lies under a point of the stage. */
export interface Hover {
  readonly area: 'cell' | 'row' | 'column' | 'scrub';
  readonly dump: number | null;
  /** Places in the matrix. */
  readonly row: number | null;
  readonly column: number | null;
}

/** Cells smaller than this: what is drawn nearby is meant. */
const SMALL_PIXELS = 3;

export function hitAt(scene: Scene, x: number, y: number): Hover | null {
  const { axis, places, matrix, entries } = scene;
  if (y >= places.scrubY) {
    const isInside = x >= axis.x0 - 8 && x < axis.x0 + axis.width + 8 && y < places.scrubY + SCRUB.height;
    return isInside && axis.iterations.length > 0
      ? { area: 'scrub', dump: dumpAt(axis, x), row: null, column: null }
      : null;
  }
  if (!matrix || !entries) return null;
  const box = shownBox(scene);
  const step = stepOf(scene);
  const row = (y - rowY(scene, 0)) / step;
  const column = (x - columnX(scene, 0)) / step;
  const isRow = y >= box.y && y < box.y + box.h;
  const isColumn = x >= box.x && x < box.x + box.w;
  if (isRow && isColumn) {
    const reach = step < SMALL_PIXELS ? SMALL_PIXELS / step : 0;
    return { area: 'cell', dump: null, ...strongestAt(entries, row, column, reach) };
  }
  if (isRow && x < box.x && x >= 8) return { area: 'row', dump: null, row: Math.floor(row), column: null };
  const isAbove = y < box.y && y >= 4;
  if (isColumn && isAbove) return { area: 'column', dump: null, row: null, column: Math.floor(column) };
  return null;
}
