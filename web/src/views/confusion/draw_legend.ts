import { drawRamp } from '../../marks/legend.ts';
import type { Surface } from '../../marks/surface.ts';
import { confusionRamp, rightRamp } from './colours.ts';
import type { Scene } from './scene.ts';

/** The legend in one line, for exported pictures and where the side panel is closed. */
export function drawMatrixLegendLine(surface: Surface, scene: Scene, x: number, y: number): void {
  const { theme, isChange } = scene;
  const words = { size: 10, fill: theme.ink2 };
  const [title, low, high] = isChange
    ? ['Change of the share taken so', '−100 %', '+100 %']
    : ['Share of the true class taken so', '0 %', '100 %'];
  surface.text(`${title} (cube root)  ${low}`, x, y, words);
  const from = x + title.length * 4.9 + 90;
  drawRamp(surface, isChange ? theme.divergingRamp : confusionRamp(theme), from, y - 4.5, 110, 9);
  surface.text(high, from + 116, y, words);
  surface.text('right', from + 176, y, words);
  drawRamp(
    surface,
    isChange ? [theme.hatch, theme.divergingRamp[3], theme.correct] : rightRamp(theme),
    from + 202,
    y - 4.5,
    60,
    9,
  );
}
