import type { Stretch } from '../kernel/axis.ts';
import type { Lut, Theme } from '../kernel/colour.ts';
import { reduceMean } from '../kernel/raster.ts';
import type { Surface } from './surface.ts';

export interface Stripe {
  readonly row: number;
  readonly y: number;
  readonly h: number;
}

/** One matrix row a stripe, over the shown dumps. Missing cells let the hatch through. */
export function drawStripes(
  surface: Surface,
  axis: Stretch,
  theme: Theme,
  source: { data: Uint8Array; stride: number; length: number; lut: Lut },
  stripes: readonly Stripe[],
): void {
  const { col1, shown } = knownPart(axis, source.length);
  const width = Math.max(1, Math.round(shown * surface.density));
  for (const { row, y, h } of stripes) {
    if (shown < axis.width) surface.rect(axis.x0, y, axis.width, h, { fill: theme.skeleton });
    if (shown <= 0) continue;
    const order = [row];
    const view = { row0: 0, row1: 1, col0: axis.d0, col1, width, height: 1 };
    const line = reduceMean({ ...source, order }, view, source.length);
    if (line.data.includes(0)) surface.hatch(axis.x0, y, shown, h, theme.hatch, theme.hatchGround);
    surface.pixels(line, axis.x0, y, shown, h);
  }
}

/** A part of a live run may be some dumps behind the axis: those are not missing, only not here yet. */
export function knownPart(axis: Stretch, length: number): { col1: number; shown: number } {
  const col1 = Math.min(axis.d1, length);
  return { col1, shown: Math.max(0, ((col1 - axis.d0) / (axis.d1 - axis.d0)) * axis.width) };
}
