import { centreOf, pixelsPerDump, type Axis, type Stretch } from '../kernel/axis.ts';
import type { Theme } from '../kernel/colour.ts';
import { toPixels } from '../kernel/series.ts';
import type { Surface } from './surface.ts';

/** Where more dumps than this share a pixel, their extremes stand for all: it looks the same, and takes a fraction of the time. */
const MANY_DUMPS = 4;

/** One curve of shares 0..1; unknown dumps break it. */
export function drawErrorLine(
  surface: Surface,
  axis: Stretch,
  values: ArrayLike<number>,
  y: (share: number) => number,
  style: { stroke: string; width?: number },
): void {
  let points: number[] = [];
  const flush = () => {
    if (points.length === 2)
      surface.rect(points[0] - 1.5, points[1] - 1.5, 3, 3, { fill: style.stroke, radius: 1.5 });
    else if (points.length > 2) surface.line(points, { width: 1.5, ...style });
    points = [];
  };
  for (const [x, value] of pixelsPerDump(axis) * MANY_DUMPS < 1
    ? extremes(axis, values)
    : dumps(axis, values)) {
    if (Number.isNaN(value)) flush();
    else points.push(x, y(value));
  }
  flush();
}

function* dumps(axis: Stretch, values: ArrayLike<number>): Generator<readonly [number, number]> {
  const last = Math.min(values.length, Math.ceil(axis.d1));
  for (let d = Math.max(0, Math.floor(axis.d0)); d < last; d++) yield [centreOf(axis, d), values[d]];
}

function* extremes(axis: Stretch, values: ArrayLike<number>): Generator<readonly [number, number]> {
  const { x0, step, min, max } = toPixels(values, axis);
  for (let i = 0; i < max.length; i++) {
    const x = x0 + (i + 0.5) * step;
    yield [x, max[i]];
    if (min[i] < max[i]) yield [x, min[i]];
  }
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
