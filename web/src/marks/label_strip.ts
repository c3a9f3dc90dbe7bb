import { xOf, type Axis } from '../kernel/axis.ts';
import type { Theme } from '../kernel/colour.ts';
import type { Spell } from '../kernel/predictions.ts';
import type { Surface } from './surface.ts';

/** Labels predicted for one sample over time: one lane a label, the true one on top and in its own colour. */
export function drawLabelStrip(
  surface: Surface,
  axis: Axis,
  theme: Theme,
  spells: readonly Spell[],
  lanes: readonly number[],
  truth: number,
  y: number,
  laneHeight: number,
): void {
  const place = new Map(lanes.map((label, i) => [label, i]));
  lanes.forEach((_, i) => {
    const top = y + i * laneHeight;
    surface.rect(axis.x0, top + 1, axis.width, laneHeight - 2, { fill: theme.faint, radius: 1 });
  });
  surface.clipped(axis.x0, y, axis.width, lanes.length * laneHeight, () => {
    for (const spell of spells) {
      const lane = spell.label < 0 ? -1 : (place.get(spell.label) ?? lanes.length - 1);
      if (lane < 0) continue;
      const x = xOf(axis, spell.first);
      const w = Math.max(1, xOf(axis, spell.last + 1) - x);
      const fill = spell.label === truth ? theme.training : theme.incorrect;
      surface.rect(x, y + lane * laneHeight + 1, w, laneHeight - 2, { fill });
    }
  });
}
