import { describe, expect, it } from 'vitest';
import { reduceMax, reduceMean, type Raster, type Viewport } from '../../src/kernel/raster.ts';
import { integer, seeded } from '../random.ts';

type Merge = (known: readonly number[]) => number;

/** The definition, pixel by pixel: all known cells that begin in the pixel, at least the one at its centre, merged. */
function literal(raster: Raster, view: Viewport, columns: number, merge: Merge): number[] {
  const covered = (from: number, to: number, size: number, i: number, limit: number): number[] => {
    const step = (to - from) / size;
    if (step <= 1) return [Math.floor(from + (i + 0.5) * step)].filter((c) => c >= 0 && c < limit);
    const cells: number[] = [];
    const begin = Math.floor(from + i * step + 1e-9);
    const end = Math.max(begin + 1, Math.floor(from + (i + 1) * step + 1e-9));
    for (let c = begin; c < end; c++) if (c >= 0 && c < limit) cells.push(c);
    return cells;
  };
  const out: number[] = [];
  for (let y = 0; y < view.height; y++) {
    for (let x = 0; x < view.width; x++) {
      const known: number[] = [];
      for (const r of covered(view.row0, view.row1, view.height, y, raster.order.length)) {
        for (const c of covered(view.col0, view.col1, view.width, x, columns)) {
          const cell = raster.data[raster.order[r] * raster.stride + c];
          if (cell !== 0) known.push(cell);
        }
      }
      out.push(raster.lut[known.length ? merge(known) : 0]);
    }
  }
  return out;
}

const identity = Uint32Array.from({ length: 256 }, (_, i) => i);

interface Case {
  readonly raster: Raster;
  readonly view: Viewport;
  readonly columns: number;
}

/** Zoomed in and out, with missing cells and any row order. */
function cases(seed: number): Case[] {
  const random = seeded(seed);
  return Array.from({ length: 150 }, () => {
    const rows = 1 + integer(random, 12);
    const columns = 1 + integer(random, 40);
    const stride = columns + integer(random, 5);
    const data = Uint8Array.from({ length: rows * stride }, () =>
      random() < 0.2 ? 0 : integer(random, 256),
    );
    const order = Array.from({ length: rows }, () => integer(random, rows));
    const col0 = random() * columns * 0.6;
    const row0 = random() * rows * 0.6;
    const view = {
      row0,
      row1: row0 + 0.5 + random() * (rows - row0),
      col0,
      col1: col0 + 0.5 + random() * (columns - col0),
      width: 1 + integer(random, 60),
      height: 1 + integer(random, 20),
    };
    return { raster: { data, stride, order, lut: identity }, view, columns };
  });
}

describe('reduceMean', () => {
  it('agrees with the literal definition', () => {
    const mean: Merge = (known) => Math.round(known.reduce((a, b) => a + b, 0) / known.length);
    for (const { raster, view, columns } of cases(7))
      expect([...reduceMean(raster, view, columns).data]).toEqual(literal(raster, view, columns, mean));
  });

  it('keeps an event of one row visible when a hundred rows share a pixel', () => {
    const data = new Uint8Array(100).fill(1);
    data[37] = 255;
    const raster = { data, stride: 1, order: Int32Array.from({ length: 100 }, (_, i) => i), lut: identity };
    const view = { row0: 0, row1: 100, col0: 0, col1: 1, width: 1, height: 1 };
    expect(reduceMean(raster, view, 1).data[0]).toBe(4);
  });

  it('never reads beyond the known columns', () => {
    const data = Uint8Array.from([5, 5, 200, 200]);
    const raster = { data, stride: 4, order: [0], lut: identity };
    const view = { row0: 0, row1: 1, col0: 0, col1: 4, width: 4, height: 1 };
    expect([...reduceMean(raster, view, 2).data]).toEqual([5, 5, 0, 0]);
  });
});

describe('reduceMax', () => {
  it('is the largest known cell', () => {
    for (const { raster, view, columns } of cases(8)) {
      const expected = literal(raster, view, columns, (known) => Math.max(...known));
      expect([...reduceMax(raster, view, columns).data]).toEqual(expected);
    }
  });

  it('is the known cell farthest from the middle, of two the larger', () => {
    const farthest: Merge = (known) =>
      [...known].sort((a, b) => Math.abs(b - 128) - Math.abs(a - 128) || b - a)[0];
    for (const { raster, view, columns } of cases(9))
      expect([...reduceMax(raster, view, columns, 128).data]).toEqual(
        literal(raster, view, columns, farthest),
      );
  });

  it('shows a single filter that moves as strongly as if it were alone', () => {
    const data = new Uint8Array(100).fill(1);
    data[37] = 255;
    const raster = { data, stride: 1, order: Int32Array.from({ length: 100 }, (_, i) => i), lut: identity };
    const view = { row0: 0, row1: 100, col0: 0, col1: 1, width: 1, height: 1 };
    expect(reduceMax(raster, view, 1).data[0]).toBe(255);
  });
});
