import { describe, expect, it } from 'vitest';
import { boxBins } from '../../src/kernel/boxes.ts';
import { horizonColours, THEMES } from '../../src/kernel/colour.ts';
import { Columns } from '../../src/kernel/columns.ts';
import { drawBoxChart } from '../../src/marks/box_chart.ts';
import { drawErrorLine } from '../../src/marks/error_lines.ts';
import { drawHorizonScale } from '../../src/marks/colour_scale.ts';
import { drawHorizon } from '../../src/marks/horizon.ts';
import { drawLineChart, type LineChart } from '../../src/marks/line_chart.ts';
import { drawLink } from '../../src/marks/links.ts';
import { RecordingSurface } from './recording_surface.ts';

const theme = THEMES.light;
const axisOf = (dumps: number, width: number) => ({
  iterations: new Float64Array(dumps),
  d0: 0,
  d1: dumps,
  x0: 100,
  width,
});

describe('drawLineChart', () => {
  const drawn = (values: readonly number[], width: number, change: Partial<LineChart> = {}) => {
    const surface = new RecordingSurface();
    const chart = { y: 10, h: 50, values, scale: { lo: -1, hi: 1 }, ...change };
    drawLineChart(surface, axisOf(values.length, width), theme, chart);
    return { ...surface, curves: surface.lines.filter(({ style }) => style.stroke === theme.training) };
  };

  it('leads through the middle of each dump where there is room', () => {
    const { curves, polygons } = drawn([-1, 0, 1], 300);
    expect(curves[0].points).toEqual([150, 60, 250, 35, 350, 10]);
    expect(polygons).toEqual([]);
  });

  it('breaks at unknown dumps, and marks a single one with a dot', () => {
    const { curves, rects, hatches } = drawn([0, 0.5, Number.NaN, 0.5, Number.NaN], 500);
    expect(curves).toHaveLength(1);
    expect(rects.filter(({ w, h }) => w === 3 && h === 3)).toHaveLength(1);
    expect(hatches.map(({ x, w }) => [x, w])).toEqual([[300, 100], [500, 100]]); // prettier-ignore
  });

  it('draws an envelope around the mean where dumps are closer than pixels', () => {
    const values = Array.from({ length: 400 }, (_, d) => (d % 2 ? 0.8 : -0.4));
    const { curves, polygons } = drawn(values, 100);
    expect(polygons).toHaveLength(1);
    expect(polygons[0].fill.alpha).toBe(0.25);
    const ys = polygons[0].points.filter((_, i) => i % 2 === 1);
    expect(Math.min(...ys)).toBeCloseTo(15);
    expect(Math.max(...ys)).toBeCloseTo(45);
    expect(curves[0].points[1]).toBeCloseTo(30);
  });

  it('draws an envelope around values that are means, however much room they have', () => {
    const envelope = { lowest: [-0.4, 0, -0.4], highest: [0, 0.8, 0] };
    const { curves, polygons } = drawn([-0.2, 0, -0.2], 300, { envelope });
    expect(curves.map(({ points }) => points)).toEqual([[150, 40, 250, 35, 350, 40]]);
    const ys = polygons[0].points.filter((_, i) => i % 2 === 1);
    expect([Math.min(...ys), Math.max(...ys)]).toEqual([expect.closeTo(15), expect.closeTo(45)]);
  });

  it('draws zero, the ends of its scale, and a guide with its label', () => {
    const { lines, texts } = drawn([0, 0.5], 200, { guide: { value: 0.5, label: 'half' } });
    expect(texts.map(({ text }) => text)).toEqual(['1', 'half', '0', '−1']);
    expect(lines.filter(({ style }) => style.dash)[0].points[1]).toBeCloseTo(22.5, 0);
    texts.slice(1).forEach(({ y }, i) => expect(y - texts[i].y).toBeGreaterThan(9.5));
    expect(texts.map(({ y }) => y)).toEqual([15, 25.5, 36, 55]);
  });

  it('keeps the ends of the scale where a low chart has no room for more', () => {
    const { texts } = drawn([0, 0.5], 200, { h: 24, guide: { value: 0.5, label: 'half' } });
    expect(texts.map(({ text }) => text)).toEqual(['1', '−1']);
  });

  it('is grey where a live run has not come to yet', () => {
    const surface = new RecordingSurface();
    const chart = { y: 10, h: 50, values: [0, 1], scale: { lo: 0, hi: 1 } };
    drawLineChart(surface, axisOf(4, 400), theme, chart);
    const grey = surface.rects.filter(({ style }) => style.fill === theme.skeleton);
    expect(grey).toEqual([{ x: 300, y: 10, w: 200, h: 50, style: { fill: theme.skeleton } }]);
    expect(surface.hatches).toEqual([]);
  });
});

describe('drawErrorLine', () => {
  const drawn = (values: readonly number[], width: number) => {
    const surface = new RecordingSurface();
    drawErrorLine(surface, axisOf(values.length, width), values, (share) => 100 * (1 - share), {
      stroke: '#000',
    });
    return surface.lines.map(({ points }) => points);
  };

  it('leads through every dump, and breaks at unknown ones', () => {
    expect(drawn([1, 0.5, Number.NaN, 0.25, 0], 10)).toEqual([
      [101, 0, 103, 50],
      [107, 75, 109, 100],
    ]);
  });

  it('keeps what a single dump did where many share a pixel', () => {
    const values = Array.from({ length: 1000 }, (_, d) => (d === 407 ? 0.9 : 0.2));
    const [points] = drawn(values, 100);
    expect(points.length).toBeLessThan(300);
    expect(points.slice(2 * 40, 2 * 42)).toEqual([140.5, expect.closeTo(10), 140.5, expect.closeTo(80)]);
  });
});

describe('drawHorizon', () => {
  it('fills bands in the colours of their sign and depth, deepest last', () => {
    const surface = new RecordingSurface();
    const values = [0.1, 0.5, -0.1, -0.5, Number.NaN];
    drawHorizon(surface, axisOf(5, 100), theme, { y: 0, h: 40, values, scale: { m: 0.9, bands: 3, signed: true } }); // prettier-ignore
    const positive = horizonColours(theme.horizonPositive, 3);
    const negative = horizonColours(theme.horizonNegative, 3);
    const fills = surface.polygons.map(({ fill }) => fill.fill);
    expect(fills).toEqual([positive[0], negative[0], positive[1], negative[1]]);
    expect(surface.hatches).toEqual([{ x: 180, y: 0, w: 20, h: 40 }]);
  });
});

describe('drawHorizon of means', () => {
  it('is as high as the value of each that is furthest from 0', () => {
    const surface = new RecordingSurface();
    const envelope = { lowest: [0, -0.6], highest: [0.9, 0.1] };
    const chart = { y: 0, h: 40, values: [0, 0], envelope, scale: { m: 1, bands: 1, signed: true } };
    drawHorizon(surface, axisOf(2, 20), theme, chart);
    const tops = surface.polygons.map(({ points }) => Math.min(...points.filter((_, i) => i % 2 === 1)));
    expect(tops).toEqual([expect.closeTo(4, 4), expect.closeTo(16, 4)]);
  });
});

describe('drawBoxChart', () => {
  it('draws whisker, box and median in place, boxes never thinner than two pixels', () => {
    const five = Columns.of(5, Float32Array.from([0, 0, 2, 2, 5, 5, 6, 6, 10, 10]));
    const axis = axisOf(2, 2);
    const surface = new RecordingSurface();
    const bins = boxBins(five, axis);
    drawBoxChart(surface, axis, theme, { y: 0, h: 100, bins, scale: { lo: 0, hi: 10 } });
    expect(surface.lines[0].points.filter((_, i) => i % 2 === 1)).toEqual([0, 100]);
    const boxes = surface.rects.filter(({ style }) => style.fill === theme.horizonNegative[1]);
    expect(boxes).toHaveLength(2);
    expect(boxes[0]).toMatchObject({ y: 40, h: 40, w: 2 });
    const medians = surface.rects.filter(({ style }) => style.fill === theme.ink);
    expect(medians[0].y + medians[0].h / 2).toBeCloseTo(50);
  });
});

describe('drawLink', () => {
  const link = { node: 4, barX: 120, barY: 30.2, y0: 33, y1: 80 };

  it('leads level over the bars, along the curve, and level to the name', () => {
    const surface = new RecordingSurface();
    drawLink(surface, theme, link, { leadX: 140, x0: 150, x1: 300, endX: () => 320 }, 'plain');
    const { points } = surface.lines[0];
    expect(points.slice(0, 6)).toEqual([120, 30.5, 140, 30.5, 150, 33.5]);
    expect(points.slice(-4)).toEqual([300, 80.5, 320, 80.5]);
  });

  it('has a halo where it is highlighted', () => {
    const surface = new RecordingSurface();
    drawLink(surface, theme, link, { leadX: 140, x0: 150, x1: 300 }, 'highlighted');
    expect(surface.lines.map(({ style }) => style.stroke)).toEqual([theme.panel, theme.highlight]);
  });
});

describe('drawHorizonScale', () => {
  it('has one field a band and sign, and says what a band is worth', () => {
    const surface = new RecordingSurface();
    const box = { x: 0, y: 0, w: 120, h: 9 };
    drawHorizonScale(surface, theme, { m: 0.9, bands: 3, signed: true }, box);
    expect(surface.rects).toHaveLength(6);
    expect(surface.texts.map(({ text }) => text)).toEqual(['−0.9', '0', '0.9', 'band height 0.3']);
    const unsigned = new RecordingSurface();
    drawHorizonScale(unsigned, theme, { m: 0.9, bands: 3, signed: false }, box);
    expect(unsigned.rects).toHaveLength(3);
    expect(unsigned.texts[0].text).toBe('0');
  });
});
