import { describe, expect, it } from 'vitest';
import {
  HEIGHTS,
  layOut,
  rowAt,
  rowsBetween,
  sortClasses,
  type LayoutInput,
} from '../../src/kernel/layout.ts';
import { integer, seeded } from '../random.ts';

function input(change: Partial<LayoutInput> = {}): LayoutInput {
  return {
    clusters: [[3, 1], [0, 2, 4], []],
    isClusterOpen: (c) => c === 1,
    isClassOpen: (cls) => cls === 2,
    isRestricted: false,
    opened: () => ({ samples: 50, taken: 3 }),
    rowHeight: 3,
    maxChartHeight: 400,
    ...change,
  };
}

describe('layOut', () => {
  it('lists clusters, classes of opened clusters, and the parts of an opened class', () => {
    const kinds = layOut(input()).rows.map((row) =>
      'cls' in row ? `${row.kind} ${row.cls}` : `cluster ${row.cluster}`,
    );
    expect(kinds).toEqual([
      'cluster 0',
      'cluster 1',
      'class 0',
      'class 2',
      'flips 2',
      'pixels 2',
      'taken 2',
      'taken 2',
      'taken 2',
      'class 4',
      'cluster 2',
    ]);
  });

  it('shows an opened class in a closed cluster', () => {
    const rows = layOut(input({ isClusterOpen: () => false })).rows;
    expect(rows.filter((row) => row.kind === 'class').map((row) => row.cls)).toEqual([2]);
  });

  it('shows the classes that it is restricted to, and no cluster without any', () => {
    const restricted = input({
      isRestricted: true,
      isClusterOpen: () => false,
      isClassOpen: () => false,
      clusters: [[3], [], [0, 4]],
    });
    const kinds = layOut(restricted).rows.map((row) => ('cls' in row ? row.cls : `cluster ${row.cluster}`));
    expect(kinds).toEqual(['cluster 0', 3, 'cluster 2', 0, 4]);
  });

  it('never lets rows overlap', () => {
    const { rows, height } = layOut(input());
    rows.slice(1).forEach((row, i) => expect(row.y).toBeGreaterThanOrEqual(rows[i].y + rows[i].h));
    const last = rows[rows.length - 1];
    expect(height).toBeGreaterThanOrEqual(last.y + last.h);
  });

  it('makes thin stripes above 200 classes, and cuts a chart at its greatest height', () => {
    const many = Array.from({ length: 201 }, (_, i) => i);
    const thin = layOut(
      input({ clusters: [many], isClusterOpen: () => true, isClassOpen: () => false }),
    ).rows;
    expect(thin[1]).toMatchObject({ kind: 'class', thin: true, h: HEIGHTS.thin });
    const tall = layOut(input({ opened: () => ({ samples: 600, taken: 0 }) })).rows.find(
      (row) => row.kind === 'pixels',
    );
    expect(tall?.h).toBe(400);
  });
});

describe('rowAt and rowsBetween', () => {
  it('agree with asking every row', () => {
    const random = seeded(2);
    const layout = layOut(input());
    for (let i = 0; i < 400; i++) {
      const y = random() * (layout.height + 20) - 10;
      expect(rowAt(layout, y)).toBe(layout.rows.find((row) => y >= row.y && y < row.y + row.h) ?? null);
      const bottom = y + integer(random, 200);
      expect(rowsBetween(layout, y, bottom)).toEqual(
        layout.rows.filter((row) => row.y + row.h > y && row.y < bottom),
      );
    }
  });
});

describe('sortClasses', () => {
  const facts = {
    names: ['pear', 'apple', 'fig'],
    final: [0.2, 0.9, 0.1],
    score: [0, 0.5, 0.5],
    place: [2, 0, 1],
  };
  it.each([
    ['hardest', [2, 0, 1]],
    ['name', [1, 2, 0]],
    ['score', [1, 2, 0]],
    ['similarity', [1, 2, 0]],
  ] as const)('by %s', (how, expected) => {
    expect(sortClasses([0, 1, 2], how, facts)).toEqual(expected);
  });
});
