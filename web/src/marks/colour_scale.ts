import { horizonColours, type Ramp, type Theme } from '../kernel/colour.ts';
import { valueText } from '../kernel/format.ts';
import type { HorizonScale } from '../kernel/series.ts';
import { drawRamp } from './legend.ts';
import type { Surface } from './surface.ts';

export interface ScaleBox {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

/** A ramp with its ends below it; `middle` names the colour of zero of one that diverges. */
export function drawColourScale(
  surface: Surface,
  theme: Theme,
  ramp: Ramp,
  box: ScaleBox,
  ends: readonly [string, string],
  middle = '',
): void {
  const { x, y, w, h } = box;
  drawRamp(surface, ramp, x, y, w, h);
  surface.frame(x - 0.5, y - 0.5, w + 1, h + 1, { stroke: theme.line, width: 1 });
  const words = { size: 9.6, fill: theme.ink2 };
  surface.text(ends[0], x, y + h + 9, words);
  surface.text(ends[1], x + w, y + h + 9, { ...words, anchor: 'end' });
  if (middle) surface.text(middle, x + w / 2, y + h + 9, { ...words, anchor: 'middle' });
}

/** The bands of a horizon graph, from the deepest negative to the deepest positive one, and how high each is. */
export function drawHorizonScale(surface: Surface, theme: Theme, scale: HorizonScale, box: ScaleBox): void {
  const { x, y, w, h } = box;
  const negative = scale.signed ? horizonColours(theme.horizonNegative, scale.bands).toReversed() : [];
  const colours = [...negative, ...horizonColours(theme.horizonPositive, scale.bands)];
  const each = w / colours.length;
  colours.forEach((fill, i) => surface.rect(x + i * each, y, each, h, { fill }));
  const words = { size: 9.6, fill: theme.ink2 };
  const largest = valueText(scale.m);
  surface.text(scale.signed ? `\u2212${largest}` : '0', x, y + h + 9, words);
  if (scale.signed) surface.text('0', x + w / 2, y + h + 9, { ...words, anchor: 'middle' });
  surface.text(largest, x + w, y + h + 9, { ...words, anchor: 'end' });
  surface.text(`band height ${valueText(scale.m / scale.bands)}`, x + w + 12, y + h / 2, words);
}
