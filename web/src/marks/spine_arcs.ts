import type { Theme } from '../kernel/colour.ts';
import type { Spine } from '../kernel/spine.ts';
import { rowRect, type SpineGeometry } from '../kernel/spine_geometry.ts';
import type { Surface } from './surface.ts';

const WIDEST_LANE = 14;
const CORNER_STEPS = 6;
/** Corners are at most this many rows high, so that arcs between thin rows keep to their lanes. */
const CORNER_ROWS = 2;

/** Every arc in its lane; those that share the outermost are drawn as one bus, with a way in and out at each row. */
export function drawArcs(surface: Surface, theme: Theme, spine: Spine, geometry: SpineGeometry): void {
  const pen = new ArcPen(spine, geometry);
  drawBus(surface, theme, spine, pen);
  const style = { stroke: theme.ink3, width: 1, alpha: 0.8 };
  for (const { from, to, lane, bundled } of spine.arcs) {
    if (!bundled) surface.line([...pen.leave(from, lane, to), ...pen.enter(to, lane, from)], style);
  }
}

/** Laid over each other, hundreds of arcs would be a black line, and say no more. */
function drawBus(surface: Surface, theme: Theme, spine: Spine, pen: ArcPen): void {
  const bundled = spine.arcs.filter((arc) => arc.bundled).sort((a, b) => a.from - b.from);
  const style = { stroke: theme.ink3, width: 1, alpha: 0.5 };
  const ways = new Set<string>();
  const once = (way: string, points: () => number[]) => {
    if (!ways.has(way)) surface.line(points(), style);
    ways.add(way);
  };
  const stretches: { from: number; to: number; lane: number }[] = [];
  for (const { from, to, lane } of bundled) {
    once(`from ${from}`, () => pen.leave(from, lane, to));
    once(`to ${to}`, () => pen.enter(to, lane, from));
    const last = stretches[stretches.length - 1];
    if (last && from < last.to) last.to = Math.max(last.to, to);
    else stretches.push({ from, to, lane });
  }
  for (const { from, to, lane } of stretches) {
    const top = pen.leave(from, lane, to).slice(-2);
    const bottom = pen.enter(to, lane, from).slice(0, 2);
    surface.line([...top, ...bottom], { ...style, width: 2.4 });
  }
}

class ArcPen {
  constructor(
    readonly spine: Spine,
    readonly geometry: SpineGeometry,
  ) {}

  /** From the left edge of a rectangle out into the lane, downwards. */
  leave(row: number, lane: number, other: number): number[] {
    return this.#corner(row, lane, other, 1);
  }

  /** From the lane into a rectangle, from above. */
  enter(row: number, lane: number, other: number): number[] {
    const points = this.#corner(row, lane, other, -1);
    const out: number[] = [];
    for (let i = points.length - 2; i >= 0; i -= 2) out.push(points[i], points[i + 1]);
    return out;
  }

  #corner(row: number, lane: number, other: number, direction: 1 | -1): number[] {
    const { x } = this.geometry;
    const rect = rowRect(this.spine.rows[row], this.geometry);
    const reach = this.#reach(lane);
    const y = rect.y + rect.h / 2;
    const height = Math.min(reach, this.#half(row, other), CORNER_ROWS * this.#tallest(row, other));
    const points = [rect.x, y];
    for (let i = 0; i <= CORNER_STEPS; i++) {
      const angle = (i / CORNER_STEPS) * (Math.PI / 2);
      points.push(x - reach * Math.sin(angle), y + direction * height * (1 - Math.cos(angle)));
    }
    return points;
  }

  #reach(lane: number): number {
    const { x, arcsX } = this.geometry;
    return Math.min(WIDEST_LANE, (x - arcsX) / this.spine.lanes) * (lane + 1);
  }

  #half(row: number, other: number): number {
    const a = this.spine.rows[row];
    const b = this.spine.rows[other];
    return Math.abs(a.y + a.h / 2 - b.y - b.h / 2) / 2;
  }

  #tallest(row: number, other: number): number {
    return Math.max(this.spine.rows[row].h, this.spine.rows[other].h);
  }
}
