import type { Stretch } from '../kernel/axis.ts';
import type { Theme } from '../kernel/colour.ts';
import { separateAnchors } from '../kernel/links.ts';
import { runs, yOf, type Envelope, type PixelSeries, type Scale } from '../kernel/series.ts';
import { valueText } from '../kernel/format.ts';
import { knownPart } from './stripes.ts';
import type { Surface } from './surface.ts';

export interface ChartBox {
  readonly y: number;
  readonly h: number;
  readonly values: ArrayLike<number>;
  /** Where each value is a mean: what it is the mean of lies between. */
  readonly envelope?: Envelope;
}

/** What every chart over time lies on: panel and frame; hatched where nothing is known, grey where it is still to come. */
export function drawChartGround(
  surface: Surface,
  axis: Stretch,
  theme: Theme,
  { y, h, values }: ChartBox,
  { x0, step, max }: PixelSeries,
): void {
  const { shown } = knownPart(axis, values.length);
  surface.rect(axis.x0, y, axis.width, h, { fill: theme.panel });
  if (shown < axis.width) surface.rect(axis.x0 + shown, y, axis.width - shown, h, { fill: theme.skeleton });
  const known = Math.min(max.length, Math.round(shown / step));
  for (const [from, to] of runs(known, (x) => Number.isNaN(max[x])))
    surface.hatch(x0 + from * step, y, (to - from) * step, h, theme.hatch, theme.hatchGround);
  drawChartBorder(surface, axis, theme, y, h);
}

export function drawChartBorder(surface: Surface, axis: Stretch, theme: Theme, y: number, h: number): void {
  surface.frame(axis.x0 - 0.5, y - 0.5, axis.width + 1, h + 1, { stroke: theme.line, width: 1 });
}

export interface Guide {
  readonly value: number;
  readonly label: string;
}

const LABEL_PITCH = 10.5;

/** The ends of the scale, at the right; a line at zero where it lies between them, and one at a value to compare with. */
export function drawScale(
  surface: Surface,
  axis: Stretch,
  theme: Theme,
  scale: Scale,
  y: number,
  h: number,
  guide: Guide | null = null,
): void {
  const at = yOf(scale, y, h);
  const across = (value: number) => {
    const line = Math.floor(at(value)) + 0.5;
    return [axis.x0, line, axis.x0 + axis.width, line];
  };
  const isInside = (value: number) => value > scale.lo && value < scale.hi;
  // As many as have room, the ends of the scale first.
  const labels = [
    { text: valueText(scale.hi), y: y + 5 },
    { text: valueText(scale.lo), y: y + h - 5 },
  ];
  if (guide && isInside(guide.value)) {
    surface.line(across(guide.value), { stroke: theme.ink2, width: 1, dash: [2, 2], alpha: 0.8 });
    labels.push({ text: guide.label, y: at(guide.value) });
  }
  if (isInside(0)) {
    surface.line(across(0), { stroke: theme.ink3, width: 1, alpha: 0.45 });
    labels.push({ text: '0', y: at(0) });
  }
  const fitting = labels.slice(0, Math.max(2, Math.floor(h / LABEL_PITCH))).sort((a, b) => a.y - b.y);
  const wanted = fitting.map((label) => label.y);
  const placed = separateAnchors(wanted, LABEL_PITCH, y + 5, y + h - 5);
  const x = axis.x0 + axis.width + 6;
  fitting.forEach(({ text }, i) => surface.text(text, x, placed[i], { size: 9.6, fill: theme.ink3 }));
}
