import { axisTicks, centreOf, type Axis } from '../kernel/axis.ts';
import type { Theme } from '../kernel/colour.ts';
import { iterationText } from '../kernel/format.ts';
import type { Surface } from './surface.ts';

export function drawIterationAxis(surface: Surface, axis: Axis, theme: Theme, y: number): void {
  surface.line([axis.x0, y + 0.5, axis.x0 + axis.width, y + 0.5], { stroke: theme.ink2 });
  surface.text('iteration', axis.x0 - 10, y + 12, { size: 10.5, fill: theme.ink3, anchor: 'end' });
  for (const tick of axisTicks(axis)) {
    const x = Math.round(tick.x) + 0.5;
    surface.line([x, y, x, y + 4], { stroke: theme.ink2 });
    surface.text(tick.label, tick.x, y + 12, { size: 10.5, fill: theme.ink2, anchor: 'middle' });
  }
}

export function pillWidth(text: string): number {
  return text.length * 6.4 + 14;
}

/** The iteration at the hovered or marked dump, on the axis. */
export function drawIterationPill(
  surface: Surface,
  axis: Axis,
  theme: Theme,
  dump: number,
  y: number,
  fill: string,
): void {
  const label = iterationText(axis.iterations[dump]);
  const w = pillWidth(label);
  const centre = centreOf(axis, dump);
  const x = Math.max(axis.x0 - 30, Math.min(axis.x0 + axis.width + 30 - w, centre - w / 2));
  surface.rect(x, y + 3, w, 18, { fill, radius: 9 });
  const ink = theme.name === 'light' ? '#ffffff' : '#14181d';
  surface.text(label, x + w / 2, y + 12, { size: 10.5, weight: 600, fill: ink, anchor: 'middle' });
}
