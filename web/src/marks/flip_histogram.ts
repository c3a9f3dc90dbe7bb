import { pixelsPerDump, xOf, type Stretch } from '../kernel/axis.ts';
import type { Theme } from '../kernel/colour.ts';
import type { RuleCounts } from '../kernel/predictions.ts';
import type { Surface } from './surface.ts';

/** Left rule up, right rule down, on one scale; columns with an anomaly in the highlight colour. A pixel keeps its highest. */
export function drawFlipHistogram(
  surface: Surface,
  axis: Stretch,
  theme: Theme,
  counts: RuleCounts,
  samples: number,
  y: number,
  h: number,
  isAnomaly: (column: number) => boolean,
): void {
  const middle = Math.round(y + h / 2);
  const from = Math.max(0, Math.floor(axis.d0));
  const to = Math.min(counts.left.length, Math.ceil(axis.d1));
  let highest = 1;
  for (let d = from; d < to; d++) highest = Math.max(highest, counts.left[d], counts.right[d]);
  const scale = (h / 2 - 2) / Math.max(highest, samples * 0.2);
  const width = Math.max(1, pixelsPerDump(axis) - (pixelsPerDump(axis) > 3 ? 1 : 0));
  surface.clipped(axis.x0 - 1, y - 1, axis.width + 2, h + 2, () => {
    surface.line([axis.x0, middle + 0.5, axis.x0 + axis.width, middle + 0.5], { stroke: theme.line });
    for (let d = from; d < to; d++) {
      if (counts.left[d] === 0 && counts.right[d] === 0) continue;
      const fill = isAnomaly(d) ? theme.highlight : theme.ink3;
      const x = xOf(axis, d);
      surface.rect(x, middle - counts.left[d] * scale, width, counts.left[d] * scale, { fill });
      surface.rect(x, middle + 1, width, counts.right[d] * scale, { fill });
    }
  });
}
