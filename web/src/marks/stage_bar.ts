import { dumpFrom, xOf, type Axis } from '../kernel/axis.ts';
import type { Theme } from '../kernel/colour.ts';
import { stageRateText } from '../kernel/format.ts';
import type { Surface } from './surface.ts';

export interface Stage {
  /** Iterations, inclusive. */
  readonly first: number;
  readonly last: number;
  readonly lr: number;
  readonly lr_end: number;
}

interface Placed {
  readonly x0: number;
  readonly x1: number;
  readonly begins: number;
  readonly index: number;
  readonly stage: Stage;
}

function place(axis: Axis, stages: readonly Stage[]): Placed[] {
  return stages.map((stage, index) => {
    const begins = index === 0 ? 0 : dumpFrom(axis.iterations, stage.first);
    const next = stages[index + 1];
    const ends = next ? dumpFrom(axis.iterations, next.first) : axis.iterations.length;
    const cut = (dump: number) => xOf(axis, Math.min(axis.d1, Math.max(axis.d0, dump)));
    return { x0: cut(begins), x1: cut(ends), begins, index, stage };
  });
}

/** A bar a stage and its learning rate, as far as there is room for it. */
export function drawStageBar(
  surface: Surface,
  axis: Axis,
  theme: Theme,
  stages: readonly Stage[],
  y: number,
): void {
  let free = Number.NEGATIVE_INFINITY;
  for (const { x0, x1, index, stage } of place(axis, stages)) {
    if (x1 - x0 < 0.5) continue;
    const shade = theme.stages[Math.min(index, theme.stages.length - 1)];
    surface.rect(x0 + (index > 0 ? 1 : 0), y, Math.max(1, x1 - x0 - 1), 5, { fill: shade, radius: 2 });
    const label = `s${index + 1} · lr ${stageRateText(stage)}`;
    const width = label.length * 5.4 + 8;
    if (x0 < free || x0 + width > axis.x0 + axis.width + 60) continue;
    surface.text(label, x0 + 4, y + 13, { size: 10, fill: theme.ink2 });
    free = x0 + width;
  }
}

/** The dashes (3-3) that every chart carries where a stage begins. */
export function drawStageDashes(
  surface: Surface,
  axis: Axis,
  theme: Theme,
  stages: readonly Stage[],
  y0: number,
  y1: number,
): void {
  for (const { x0, begins, index } of place(axis, stages)) {
    if (index === 0 || begins <= axis.d0 || begins >= axis.d1) continue;
    const x = Math.round(x0) + 0.5;
    surface.line([x, y0, x, y1], { stroke: theme.ink3, dash: [3, 3], alpha: 0.75 });
  }
}
