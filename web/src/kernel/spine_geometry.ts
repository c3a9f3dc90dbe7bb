import type { Spine, SpineBar, SpineRow } from './spine.ts';

/** Where does the spine lie on the screen, and what of it lies under a point? */
export interface SpineGeometry {
  /** How far the outermost arc reaches to the left. */
  readonly arcsX: number;
  /** Left edge and width of a full rectangle. */
  readonly x: number;
  readonly width: number;
  /** Left edge of the innermost level bar. */
  readonly barsX: number;
  /** Its top, less what is scrolled away. */
  readonly y: number;
}

export const SPINE = { arcsX: 16, x: 46, width: 58, barsX: 113 } as const;

/** Share of a row that its rectangle fills. */
export const ROW_FILL = 0.76;
const NARROW = 0.26;

/** The rectangle of a row on the screen; those that only join what others made are narrower. */
export function rowRect(row: SpineRow, geometry: SpineGeometry) {
  const share = row.kind === 'add' || row.kind === 'concat' ? NARROW : 1;
  const h = row.h * ROW_FILL;
  const w = geometry.width * share;
  return {
    x: geometry.x + (geometry.width - w) / 2,
    y: geometry.y + row.y + (row.h - h) / 2,
    w,
    h,
  };
}

export type SpineHit =
  { readonly kind: 'row'; readonly row: number } | { readonly kind: 'bar'; readonly node: number };

/** How far from a bar, beside or beyond its ends, a point still means it. */
const REACH = 4;

/** Bars are thin, so whatever is nearest within reach is meant. */
export function spineHit(spine: Spine, x: number, y: number, geometry: SpineGeometry): SpineHit | null {
  const inside = y - geometry.y;
  if (x < geometry.barsX - REACH) {
    if (x < geometry.x - REACH || x > geometry.x + geometry.width + REACH) return null;
    const row = spine.rows.findIndex((one) => inside >= one.y && inside < one.y + one.h);
    return row < 0 ? null : { kind: 'row', row };
  }
  let nearest: SpineHit | null = null;
  let best = REACH;
  for (const bar of spine.bars) {
    const away = distance(spine, bar, x - geometry.barsX, inside);
    if (away >= best) continue;
    best = away;
    nearest = { kind: 'bar', node: bar.node };
  }
  return nearest;
}

function distance(spine: Spine, bar: SpineBar, x: number, y: number): number {
  const column = spine.columns[bar.column];
  const beside = Math.max(column.x - x, x - column.x - column.width, 0);
  const beyond = Math.min(...bar.segments.map(([top, bottom]) => Math.max(top - y, y - bottom, 0)));
  return Math.hypot(beside, beyond);
}
