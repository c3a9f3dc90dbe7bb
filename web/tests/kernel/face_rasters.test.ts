import { describe, expect, it } from 'vitest';
import { bandPixels } from '../../src/kernel/band_raster.ts';
import { lutOf, THEMES } from '../../src/kernel/colour.ts';
import { CorrelationIndex } from '../../src/kernel/correlation.ts';
import { CorrelationModel } from '../../src/kernel/correlation_model.ts';
import { countPixels, countShare, rectHalf, setPixels } from '../../src/kernel/grid_raster.ts';
import { reduceMax, reduceMean } from '../../src/kernel/raster.ts';
import { randomCorrelation } from '../random_correlation.ts';

/** A table that gives back the cell. */
const PLAIN = Uint32Array.from({ length: 256 }, (_, cell) => cell);
const WHITE = [255, 255, 255] as const;
const COLOURS = { ground: WHITE, ink: [0, 0, 0], line: [0, 0, 255], rect: [255, 0, 0] } as const;

function modelOf(seed = 1): CorrelationModel {
  const table = randomCorrelation(seed);
  const cut = { classes: [...table.classes.keys()], layers: [...table.layers.keys()] };
  return new CorrelationModel(new CorrelationIndex(table), cut, 'filter', 500);
}

describe('bands', () => {
  const data = Uint8Array.from([1, 2, 3, 4, 50, 60, 70, 80, 9, 9, 9, 9]);
  const source = { data, stride: 4, length: 4, lut: PLAIN };

  it('lie at their place, with nothing between them', () => {
    const bands = [
      { y: 0, height: 2, rows: [2] },
      { y: 3, height: 2, rows: [0, 1] },
    ];
    const view = { col0: 0, col1: 4, units: 5, width: 4, height: 5 };
    const { data: out } = bandPixels(source, bands, view, reduceMax);
    expect([...out]).toEqual([9, 9, 9, 9, 9, 9, 9, 9, 0, 0, 0, 0, 1, 2, 3, 4, 50, 60, 70, 80]);
  });

  it('never mix with each other, and keep the largest change and the mean of rates', () => {
    const bands = [{ y: 0, height: 1, rows: [0, 1] }];
    const view = { col0: 1, col1: 3, units: 1, width: 1, height: 1 };
    expect(bandPixels(source, bands, view, reduceMax).data[0]).toBe(70);
    expect(bandPixels(source, bands, view, reduceMean).data[0]).toBe(Math.round((2 + 3 + 60 + 70) / 4));
  });

  it('have at least a pixel', () => {
    const bands = [{ y: 99.9, height: 0.1, rows: [2] }];
    const view = { col0: 0, col1: 4, units: 100, width: 1, height: 3 };
    expect([...bandPixels(source, bands, view, reduceMax).data]).toEqual([0, 0, 9]);
  });
});

describe('counts', () => {
  it('go by the root, full at 12', () => {
    expect([0, 3, 12, 50].map(countShare)).toEqual([0, 0.5, 1, 1]);
  });

  it('fill the cell of each layer and class', () => {
    const model = modelOf();
    const lut = lutOf(THEMES.light.countRamp);
    const [width, height] = [Math.round(model.width), Math.round(model.height)];
    const { data } = countPixels(model, lut, { width, height, pixelX: 1, pixelY: 1 });
    for (const layer of model.layers) {
      for (const span of model.classes) {
        const count = model.table.counts[layer.place * model.table.classes.length + span.place];
        const x = Math.floor(span.x + span.width / 2);
        const y = Math.floor(layer.y + layer.height / 2);
        expect(data[y * width + x]).toBe(lut[1 + Math.round(countShare(count) * 254)]);
      }
    }
    const gap = Math.floor(model.layers[0].height + 1);
    expect(data[gap * width]).toBe(0);
  });
});

describe('mini-sets', () => {
  it('have a rectangle where they hit a column, and nowhere else', () => {
    const model = modelOf(2);
    const scale = 4;
    const size = {
      width: model.width * scale,
      height: Math.round(model.height * scale),
      pixelX: 1,
      pixelY: 1,
    };
    const { data } = setPixels(model, COLOURS, size);
    const red = 0xff0000ff;
    let rectangles = 0;
    for (const set of model.sets) {
      // Off the middle, where the line of the mini-set runs.
      const y = Math.floor((model.setY[set] + model.setHeight[set] * 0.2) * scale);
      for (let column = 0; column < model.table.columnDump.length; column++) {
        const x = Math.floor((model.columnX(column) + 0.8) * scale);
        const isHit = model.isHit(set, column);
        expect(data[y * size.width + x] === red).toBe(isHit);
        if (isHit) rectangles++;
      }
    }
    expect(rectangles).toBe(model.hits.column.length);
  });

  it('have a line through all classes, stronger with more hits', () => {
    const model = modelOf(3);
    const size = { width: model.width * 2, height: Math.round(model.height * 8), pixelX: 1, pixelY: 1 };
    const { data } = setPixels(model, { ...COLOURS, ink: WHITE }, size);
    const redAt = (set: number) => {
      const y = Math.floor((model.setY[set] + model.setHeight[set] / 2) * 8);
      return data[y * size.width] & 255;
    };
    const count = (set: number) => model.hitsOf(set).length;
    const sorted = [...model.sets].sort((a, b) => count(a) - count(b));
    expect(redAt(sorted[0])).toBeLessThan(255);
    expect(redAt(sorted[sorted.length - 1])).toBeLessThan(redAt(sorted[0]));
  });

  it('cover pixels in part, so that all rectangles weigh the same', () => {
    const model = modelOf(4);
    const size = {
      width: Math.round(model.width * 0.6),
      height: Math.round(model.height),
      pixelX: 1,
      pixelY: 1,
    };
    const white = { ...COLOURS, ink: WHITE, line: WHITE };
    const { data } = setPixels(model, white, size);
    // Red covers green and blue: what is missing of green is how much is covered.
    let covered = 0;
    for (const pixel of data) covered += 1 - ((pixel >> 8) & 255) / 255;
    const [sx, sy] = [size.width / model.width, size.height / model.height];
    const half = rectHalf(1 / sx) * sx;
    let wanted = 0;
    for (const set of model.sets) wanted += model.hitsOf(set).length * 2 * half * model.setHeight[set] * sy;
    expect(covered / wanted).toBeGreaterThan(0.97);
    expect(covered / wanted).toBeLessThan(1.03);
  });

  it('leave no pixel transparent', () => {
    const model = modelOf(5);
    const { data } = setPixels(model, COLOURS, { width: 50, height: 50, pixelX: 1, pixelY: 1 });
    expect(data.every((pixel) => pixel >>> 24 === 255)).toBe(true);
  });
});
