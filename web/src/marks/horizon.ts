import type { Stretch } from '../kernel/axis.ts';
import { horizonColours, type Theme } from '../kernel/colour.ts';
import { horizonBands } from '../kernel/horizon.ts';
import { toPixels, type HorizonScale } from '../kernel/series.ts';
import { drawChartGround, type ChartBox } from './chart_ground.ts';
import type { Surface } from './surface.ts';

export interface HorizonChart extends ChartBox {
  readonly scale: HorizonScale;
}

export function drawHorizon(surface: Surface, axis: Stretch, theme: Theme, chart: HorizonChart): void {
  const { y, h, values, scale } = chart;
  const pixels = toPixels(values, axis, surface.density, chart.envelope);
  drawChartGround(surface, axis, theme, chart, pixels);
  const positive = horizonColours(theme.horizonPositive, scale.bands);
  const negative = horizonColours(theme.horizonNegative, scale.bands);
  surface.clipped(axis.x0, y, axis.width, h, () => {
    for (const area of horizonBands(pixels, scale, y + h, h)) {
      const fill = (area.negative ? negative : positive)[area.band];
      surface.polygon(area.points, { fill }, null);
    }
  });
}
