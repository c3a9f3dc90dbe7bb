import type { Spine } from './spine.ts';
import type { SpineGeometry } from './spine_geometry.ts';

/**
 * How do links lead from the level bars to the charts without crossing?
 *
 * 1. The charts are in the order of the bars (`chartOrder`), so both ends of the links are in one order.
 * 2. Where bars begin at the same height, the links' anchors are moved apart, as little as possible.
 * 3. All curves share their beginning, their end and their handles, so at any x each is the same mixture of its two
 *    ends: what is in order at both ends is in order everywhere.
 */

interface Block {
  /** Sum of what its members want, less their distance from its first member. */
  sum: number;
  count: number;
}

/**
 * The positions nearest to those wanted (least squares) that keep their order and a distance of `gap`, within [lo, hi]
 * as far as there is room. Pool adjacent violators, on what is wanted less `gap` times its place.
 */
export function separateAnchors(
  wanted: readonly number[],
  gap: number,
  lo = Number.NEGATIVE_INFINITY,
  hi = Number.POSITIVE_INFINITY,
): Float64Array {
  const blocks: Block[] = [];
  wanted.forEach((value, i) => {
    let block = { sum: value - i * gap, count: 1 };
    for (let above = blocks[blocks.length - 1]; above; above = blocks[blocks.length - 1]) {
      if (above.sum / above.count < block.sum / block.count) break;
      block = { sum: above.sum + block.sum, count: above.count + block.count };
      blocks.pop();
    }
    blocks.push(block);
  });
  const highest = hi - (wanted.length - 1) * gap;
  const out = new Float64Array(wanted.length);
  let i = 0;
  for (const { sum, count } of blocks) {
    const base = Math.max(lo, Math.min(highest, sum / count));
    for (const end = i + count; i < end; i++) out[i] = base + i * gap;
  }
  return out;
}

const HANDLE = 0.55;

/** A Bézier curve that begins and ends level, as x, y pairs. */
export function linkCurve(x0: number, y0: number, x1: number, y1: number, steps = 32): Float64Array {
  const points = new Float64Array(2 * (steps + 1));
  for (let i = 0; i <= steps; i++) {
    const t = i / steps;
    const s = 1 - t;
    const along = 3 * s * s * t * HANDLE + 3 * s * t * t * (1 - HANDLE) + t * t * t;
    const across = 3 * s * t * t + t * t * t;
    points[2 * i] = x0 + along * (x1 - x0);
    points[2 * i + 1] = y0 + across * (y1 - y0);
  }
  return points;
}

export interface Link {
  readonly node: number;
  /** Where it leaves the bar. */
  readonly barX: number;
  readonly barY: number;
  /** Where its curve begins and ends. */
  readonly y0: number;
  readonly y1: number;
}

/**
 * `nodes` in chart order, and the height of each one's chart on the screen. Links of bars that are scrolled away leave
 * at the edge of the screen, `top` or `bottom`.
 */
export function placeLinks(
  spine: Spine,
  geometry: SpineGeometry,
  nodes: readonly number[],
  ends: readonly number[],
  top: number,
  bottom: number,
  gap = 3,
): Link[] {
  const wanted = nodes.map((node) => Math.max(top, Math.min(bottom, geometry.y + spine.anchorOf(node))));
  const anchors = separateAnchors(wanted, gap, top, bottom);
  return nodes.map((node, i) => {
    const bar = spine.barOf.get(node);
    const column = bar ? spine.columns[bar.column] : null;
    return {
      node,
      barX: geometry.barsX + (column ? column.x + column.width : spine.barsWidth),
      barY: wanted[i],
      y0: anchors[i],
      y1: ends[i],
    };
  });
}
