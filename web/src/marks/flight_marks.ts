import { nearestDump, xOf, type Axis } from '../kernel/axis.ts';
import type { Theme } from '../kernel/colour.ts';
import type { FlightMark } from '../kernel/flights.ts';
import type { Surface } from './surface.ts';

/** Heights of the strokes: iterations that come nearer to the dump. */
const STROKES = [2, 3.5, 5, 7] as const;
const STEP = 3;
const PILL = { width: 18, height: 11 } as const;

/** On the bar of the learning rate: a dump before which every iteration was kept, or how many such dumps. */
export function drawFlightMark(surface: Surface, theme: Theme, { x, flights }: FlightMark, y: number): void {
  const { width, height } = PILL;
  surface.rect(x - width / 2 - 1, y - height / 2 - 1, width + 2, height + 2, {
    fill: theme.ink2,
    radius: height / 2 + 1,
  });
  surface.rect(x - width / 2, y - height / 2, width, height, { fill: theme.panel, radius: height / 2 });
  if (flights.length > 1) {
    const label = String(flights.length);
    surface.text(label, x, y, { size: 9.6, weight: 600, fill: theme.ink, anchor: 'middle' });
    return;
  }
  const left = x - ((STROKES.length - 1) * STEP) / 2;
  STROKES.forEach((h, i) => {
    const at = left + i * STEP;
    surface.line([at, y + 3.5, at, y + 3.5 - h], { stroke: theme.ink, width: 1.5 });
  });
}

/** Of labels that would lie on each other, one has the words of all. */
const NEAR = 84;

export interface Noticed {
  readonly iteration: number;
  readonly text: string;
}

/** In a flight: where something was noticed, in words above a line through all charts. */
export function drawNoticed(
  surface: Surface,
  axis: Axis,
  theme: Theme,
  noticed: readonly Noticed[],
  y0: number,
  y1: number,
): void {
  const labels: { readonly x: number; text: string }[] = [];
  for (const { iteration, text } of noticed) {
    // Where its column begins, so that the column is seen.
    const x = Math.round(xOf(axis, nearestDump(axis.iterations, iteration))) + 0.5;
    if (x < axis.x0 || x > axis.x0 + axis.width) continue;
    surface.line([x, y0, x, y1], { stroke: theme.background, width: 3, alpha: 0.7 });
    surface.line([x, y0, x, y1], { stroke: theme.ink, width: 1, dash: [4, 2] });
    const last = labels[labels.length - 1];
    if (!last || x - last.x > NEAR) labels.push({ x, text });
    else if (!last.text.includes(text)) last.text += `, ${text}`;
  }
  for (const { x, text } of labels) {
    const width = text.length * 5.6 + 12;
    const left = Math.min(x - 0.5, axis.x0 + axis.width + 60 - width);
    surface.rect(left, y0 - 8, width, 16, { fill: theme.ink, radius: 4 });
    surface.text(text, left + 6, y0, { size: 10, weight: 600, fill: theme.panel });
  }
}
