import { describe, expect, it } from 'vitest';
import { lutOf, THEMES } from '../../src/kernel/colour.ts';
import { Columns } from '../../src/kernel/columns.ts';
import { drawFilterChart, filterAt, filterRow, type FilterChart } from '../../src/marks/filter_chart.ts';
import { RecordingSurface } from './recording_surface.ts';

const theme = THEMES.light;
const DUMPS = 20;
const axis = { iterations: new Float64Array(DUMPS), d0: 0, d1: DUMPS, x0: 100, width: 200 };

function chart(filters: number, change: Partial<FilterChart> = {}): FilterChart {
  return {
    cells: Columns.of(filters, new Uint8Array(filters * DUMPS).fill(9)),
    order: Int32Array.from({ length: filters }, (_, i) => filters - 1 - i),
    lut: lutOf(theme.changeRamp),
    y: 40,
    h: filters * 3,
    top: 0,
    rowHeight: 3,
    middle: 0,
    never: [],
    ...change,
  };
}

function drawn(of: FilterChart): RecordingSurface {
  const surface = new RecordingSurface();
  drawFilterChart(surface, axis, theme, of);
  return surface;
}

describe('drawFilterChart', () => {
  it('draws the cells over its whole rectangle', () => {
    const { rasters, texts } = drawn(chart(30));
    expect(rasters[0]).toMatchObject({ x: 100, y: 40, w: 200, h: 90 });
    expect(rasters[0].pixels.data.every((pixel) => pixel === lutOf(theme.changeRamp)[9])).toBe(true);
    expect(texts).toEqual([]);
  });

  it('shows the extreme where several filters share a pixel', () => {
    const cells = new Uint8Array(30 * DUMPS).fill(100);
    cells[0] = 255;
    cells[DUMPS] = 1;
    const small = { cells: Columns.of(30, cells), h: 1, rowHeight: 1 / 30 };
    const lut = lutOf(theme.changeRamp);
    expect(drawn(chart(30, small)).rasters[0].pixels.data[0]).toBe(lut[255]);
    cells[0] = 120;
    expect(drawn(chart(30, { ...small, middle: 128 })).rasters[0].pixels.data[0]).toBe(lut[1]);
  });

  it('hatches missing cells', () => {
    expect(drawn(chart(4)).hatches).toHaveLength(0);
    const cells = Columns.of(4, new Uint8Array(4 * DUMPS));
    expect(drawn(chart(4, { cells })).hatches).toHaveLength(1);
  });

  it('marks and names the filters that never change, each at its row', () => {
    const of = chart(30, { never: [2, 20] });
    const { texts, lines } = drawn(of);
    expect(texts.map(({ text }) => text)).toEqual(['#20 never changes', '#2 never changes']);
    for (const filter of [2, 20]) {
      const row = filterRow(of, filter);
      const y = (row?.y ?? 0) + (row?.h ?? 0) / 2;
      expect(lines.some(({ points, style }) => style.dash && points[1] === y)).toBe(true);
      expect(texts.some((text) => Math.abs(text.y - y) < 6)).toBe(true);
    }
  });

  it('moves names apart, inside the chart', () => {
    const { texts } = drawn(chart(30, { never: [0, 1, 2, 3] }));
    expect(texts).toHaveLength(4);
    const ys = texts.map(({ y }) => y);
    ys.slice(1).forEach((y, i) => expect(y - ys[i]).toBeGreaterThanOrEqual(11 - 1e-9));
    expect(Math.max(...ys)).toBeLessThan(40 + 90);
  });

  it('says how many more there are than have room', () => {
    const never = Array.from({ length: 13 }, (_, i) => i);
    const { texts } = drawn(chart(30, { never }));
    expect(texts).toHaveLength(8);
    expect(texts[7].text).toBe('+ 6 more');
    const low = drawn(chart(13, { never, h: 13, rowHeight: 1 }));
    expect(low.texts.map(({ text }) => text)).toEqual(['13 never change']);
  });

  it('names only those in sight of a chart that scrolls', () => {
    const of = chart(100, { h: 60, top: 50, never: [0, 45, 99] });
    const { texts, rects } = drawn(of);
    expect(texts.map(({ text }) => text)).toEqual(['#45 never changes']);
    expect(rects.filter(({ x, w }) => x === axis.x0 + axis.width + 3 && w === 4)).toHaveLength(2);
  });
});

describe('filterAt and filterRow', () => {
  it('agree', () => {
    const of = chart(100, { h: 60, top: 7.5 });
    for (let filter = 0; filter < 100; filter++) {
      const row = filterRow(of, filter);
      if (row) expect(filterAt(of, row.y + row.h / 2)).toBe(filter);
    }
    expect(filterAt(of, 39)).toBeNull();
    expect(filterAt(of, 100)).toBeNull();
    expect(filterRow(of, 0)).toBeNull();
  });
});
