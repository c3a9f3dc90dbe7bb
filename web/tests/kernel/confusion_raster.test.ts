import { describe, expect, it } from 'vitest';
import type { Entries } from '../../src/kernel/confusion.ts';
import {
  cellOfShare,
  confusionPixels,
  strongestAt,
  within,
  zoomedWindow,
} from '../../src/kernel/confusion_raster.ts';
import { sankeyOf } from '../../src/kernel/sankey.ts';
import { sparkline } from '../../src/kernel/sparkline.ts';
import { integer, seeded } from '../random.ts';

const ramp = (base: number) => Uint32Array.from({ length: 256 }, (_, i) => base + i);
const LUTS = { confusion: ramp(1000), right: ramp(2000), none: ramp(3000) };

function entriesOf(cells: readonly (readonly [number, number, number])[], isChange = false): Entries {
  const counts = Int32Array.from(cells, () => 1);
  return {
    row: Int32Array.from(cells, ([row]) => row),
    column: Int32Array.from(cells, ([, column]) => column),
    share: Float32Array.from(cells, ([, , share]) => share),
    count: counts,
    before: isChange ? counts : null,
  };
}

describe('pixels', () => {
  it('of large cells fill their square but for a gap, each kind from its own colours', () => {
    const entries = entriesOf([
      [0, 0, 1],
      [1, 0, 0.5],
      [0, 2, 1],
    ]);
    const { data } = confusionPixels(
      entries,
      { row: 0, column: 0, cells: 3 },
      { width: 30, height: 30, classes: 2 },
      LUTS,
    );
    const at = (x: number, y: number) => data[y * 30 + x];
    expect([at(0, 0), at(8, 8), at(9, 0), at(15, 0)]).toEqual([2255, 2255, 0, 0]);
    expect(at(3, 12)).toBe(1000 + cellOfShare(0.5, false));
    expect(at(25, 5)).toBe(3255);
  });

  it('never lose a cell, and the strongest confusion of a pixel is seen', () => {
    const random = seeded(2);
    for (let round = 0; round < 30; round++) {
      const cells = 300;
      const [row, column] = [integer(random, cells), integer(random, cells)];
      const weak = Array.from({ length: 400 }, () => {
        const place = [integer(random, cells), integer(random, cells)] as const;
        return [...place, place[0] === place[1] ? 1 : 0.02] as const;
      });
      const strong = [row, column, row === column ? 1 : 0.9] as const;
      const { data } = confusionPixels(
        entriesOf([...weak, strong, ...weak]),
        { row: 0, column: 0, cells },
        { width: 64, height: 64, classes: cells },
        LUTS,
      );
      const seen = data[Math.floor((row * 64) / cells) * 64 + Math.floor((column * 64) / cells)];
      if (row !== column) expect(seen).toBe(1000 + cellOfShare(0.9, false));
      else expect(seen).not.toBe(0);
    }
  });

  it('of what lies outside the window are not drawn, and no change has no colour', () => {
    const window = { row: 1, column: 1, cells: 2 };
    const size = { width: 8, height: 8, classes: 4 };
    const { data } = confusionPixels(
      entriesOf([
        [0, 1, 1],
        [3, 1, 1],
        [2, 2, 0],
      ]),
      window,
      size,
      LUTS,
    );
    expect(data.every((pixel) => pixel === 0)).toBe(true);
  });

  it('of changes have their middle at no change', () => {
    expect([-1, 0, 1].map((share) => cellOfShare(share, true))).toEqual([1, 128, 255]);
    expect([0, 1].map((share) => cellOfShare(share, false))).toEqual([1, 255]);
  });
});

describe('a point', () => {
  it('means the cell under it, or where cells are tiny the strongest around', () => {
    const entries = entriesOf([
      [10, 12, 0.1],
      [11, 11, 1],
      [30, 30, 1],
    ]);
    expect(strongestAt(entries, 11.4, 11.6, 0)).toEqual({ row: 11, column: 11 });
    expect(strongestAt(entries, 11.4, 11.6, 3)).toEqual({ row: 10, column: 12 });
    expect(strongestAt(entries, 20.5, 3.5, 2)).toEqual({ row: 20, column: 3 });
  });
});

describe('a window', () => {
  it('keeps the place that it is zoomed at, and stays within the matrix', () => {
    const all = { rows: 100, columns: 102 };
    const whole = { row: 0, column: 0, cells: 102 };
    const near = zoomedWindow(whole, 0.5, { row: 40, column: 80 }, all);
    expect(near).toEqual({ row: 20, column: 40, cells: 51 });
    expect(zoomedWindow(near, 1e-6, { row: 40, column: 80 }, all).cells).toBe(4);
    expect(zoomedWindow(near, 10, { row: 40, column: 80 }, all)).toEqual(whole);
    expect(within({ row: 90, column: -3, cells: 51 }, all)).toEqual({ row: 49, column: 0, cells: 51 });
  });
});

describe('flows', () => {
  it('fill their nodes, and the small ones are one node together', () => {
    const random = seeded(9);
    const flows = Array.from({ length: 40 }, () => ({
      source: integer(random, 12),
      target: integer(random, 12),
      count: 1 + integer(random, 9),
    }));
    const room = { height: 200, gap: 4, most: 5, first: 3, rest: -9 };
    const found = sankeyOf(flows, room);
    const total = flows.reduce((sum, flow) => sum + flow.count, 0);
    for (const [nodes, side] of [
      [found.sources, 'source'],
      [found.targets, 'target'],
    ] as const) {
      expect(nodes).toHaveLength(5);
      expect(nodes[0].label).toBe(3);
      expect(nodes.reduce((sum, node) => sum + node.count, 0)).toBe(total);
      expect(nodes.reduce((sum, node) => sum + node.members, 0)).toBe(
        new Set(flows.map((flow) => flow[side])).size,
      );
      const last = nodes[4];
      expect(last.label).toBe(-9);
      expect(last.y + last.h).toBeCloseTo(200);
      for (const node of nodes) {
        const own = found.bands.filter((band) => band[side] === node.label);
        expect(own.reduce((sum, band) => sum + band.h, 0)).toBeCloseTo(node.h);
      }
    }
    expect(sankeyOf([], room).bands).toEqual([]);
  });
});

describe('a sparkline', () => {
  it('keeps the highest of values that share a pixel, and breaks where nothing is known', () => {
    const values = new Float32Array(100);
    values[37] = 8;
    expect(sparkline(values, 10, 20).match(/ 0\.5/g)).toHaveLength(1);
    expect(sparkline([1, Number.NaN, 1], 9, 10).match(/M/g)).toHaveLength(2);
    expect(sparkline([], 10, 20)).toBe('');
  });
});
