import { centreOf, type Axis } from '../kernel/axis.ts';
import type { Theme } from '../kernel/colour.ts';
import type { Surface } from './surface.ts';

/** One curve of shares 0..1; unknown dumps break it. Where dumps are closer than pixels, each pixel keeps min and max. */
export function drawErrorLine(
  surface: Surface,
  axis: Axis,
  values: ArrayLike<number>,
  y: (share: number) => number,
  style: { stroke: string; width?: number },
): void {
  const first = Math.max(0, Math.floor(axis.d0));
  const last = Math.min(values.length, Math.ceil(axis.d1));
  let points: number[] = [];
  const flush = () => {
    if (points.length === 2)
      surface.rect(points[0] - 1.5, points[1] - 1.5, 3, 3, { fill: style.stroke, radius: 1.5 });
    else if (points.length > 2) surface.line(points, { width: 1.5, ...style });
    points = [];
  };
  for (let d = first; d < last; d++) {
    if (Number.isNaN(values[d])) flush();
    else points.push(centreOf(axis, d), y(values[d]));
  }
  flush();
}

export interface ErrorChart {
  readonly y: number;
  readonly h: number;
  readonly training: ArrayLike<number>;
  readonly validation: ArrayLike<number>;
}

export function drawErrorChart(surface: Surface, axis: Axis, theme: Theme, chart: ErrorChart): void {
  const y = (share: number) => chart.y + chart.h * (1 - share);
  for (const share of [0, 0.5, 1]) {
    const at = Math.round(y(share)) + 0.5;
    surface.line([axis.x0, at, axis.x0 + axis.width, at], { stroke: theme.faint });
    surface.text(`${share * 100}%`, axis.x0 - 9, at, { size: 10, fill: theme.ink2, anchor: 'end' });
  }
  surface.clipped(axis.x0, chart.y - 4, axis.width, chart.h + 8, () => {
    drawErrorLine(surface, axis, chart.training, y, { stroke: theme.training, width: 1.2 });
    drawErrorLine(surface, axis, chart.validation, y, { stroke: theme.validation, width: 1.6 });
  });
}
