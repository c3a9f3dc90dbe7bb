import { colourAt, cssOf, type Ramp, type Theme } from '../kernel/colour.ts';
import { drawGlyph } from './triangles.ts';
import type { Surface } from './surface.ts';

export function drawRamp(surface: Surface, ramp: Ramp, x: number, y: number, w: number, h: number): void {
  const steps = 48;
  for (let i = 0; i < steps; i++) {
    surface.rect(x + (i * w) / steps, y, w / steps + 0.4, h, {
      fill: cssOf(colourAt(ramp, (i + 0.5) / steps)),
    });
  }
}

/** The legend in one line, for exported pictures and where the side panel is closed. */
export function drawLegendLine(surface: Surface, theme: Theme, x: number, y: number, level = ''): void {
  const words = { size: 10, fill: theme.ink2 };
  surface.text('Error rate  0 %', x, y, words);
  drawRamp(surface, theme.errorRamp, x + 80, y - 4.5, 110, 9);
  surface.text('100 %', x + 196, y, words);
  const sample = { members: [], left: 0, right: 0 };
  drawGlyph(surface, theme, { ...sample, x: x + 252, left: 0.4 }, y, theme.triangle);
  surface.text('left rule: stable before', x + 262, y, words);
  drawGlyph(surface, theme, { ...sample, x: x + 400, right: 0.4 }, y, theme.triangle);
  surface.text('right rule: stable after; width = score', x + 410, y, words);
  surface.rect(x + 614, y - 4.5, 9, 9, { fill: theme.correct });
  surface.text('correct', x + 628, y, words);
  surface.rect(x + 676, y - 4.5, 9, 9, { fill: theme.incorrect });
  surface.text('incorrect', x + 690, y, words);
  surface.text(level, x + 752, y, words);
}
