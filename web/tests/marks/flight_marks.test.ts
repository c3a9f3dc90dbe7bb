import { describe, expect, it } from 'vitest';
import { THEMES } from '../../src/kernel/colour.ts';
import { drawFlightMark, drawNoticed } from '../../src/marks/flight_marks.ts';
import { RecordingSurface } from './recording_surface.ts';

const theme = THEMES.light;
const flight = { dump: 1, first: 0, last: 1, count: 2, reasons: [], has_batches: false, bytes: 1 };
const axis = {
  iterations: Float64Array.from({ length: 100 }, (_, d) => 900 + d),
  d0: 0,
  d1: 100,
  x0: 50,
  width: 500,
};

describe('drawFlightMark', () => {
  it('draws strokes that rise towards the dump, or how many dumps there are', () => {
    const one = new RecordingSurface();
    drawFlightMark(one, theme, { x: 80, flights: [flight], dumps: [0, 1] }, 31);
    const heights = one.lines.map(({ points: [, y0, , y1] }) => y0 - y1);
    expect(heights).toEqual([...heights].sort((a, b) => a - b));
    expect(one.lines).toHaveLength(4);
    expect(one.texts).toEqual([]);
    const two = new RecordingSurface();
    drawFlightMark(two, theme, { x: 80, flights: [flight, flight], dumps: [0, 2] }, 31);
    expect(two.lines).toEqual([]);
    expect(two.texts.map(({ text }) => text)).toEqual(['2']);
  });
});

describe('drawNoticed', () => {
  const drawn = (...noticed: [number, string][]) => {
    const surface = new RecordingSurface();
    drawNoticed(surface, axis, theme, noticed.map(([iteration, text]) => ({ iteration, text })), 50, 400); // prettier-ignore
    return surface;
  };

  it('draws a line where the column of the iteration begins', () => {
    const { lines, texts } = drawn([940, 'NaN']);
    expect(lines.map(({ points }) => points[0])).toEqual([250.5, 250.5]);
    expect(texts.map(({ text }) => text)).toEqual(['NaN']);
  });

  it('has one label for what lies near, and none for what is not shown', () => {
    expect(drawn([940, 'NaN'], [941, 'loss leapt'], [980, 'NaN']).texts.map(({ text }) => text)).toEqual([
      'NaN, loss leapt',
      'NaN',
    ]);
    const surface = new RecordingSurface();
    drawNoticed(surface, { ...axis, d0: 50 }, theme, [{ iteration: 910, text: 'NaN' }], 50, 400);
    expect(surface.texts).toEqual([]);
  });
});
