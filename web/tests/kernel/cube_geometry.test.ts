import { describe, expect, it } from 'vitest';
import { apply, type Point } from '../../src/kernel/affine.ts';
import {
  DEPTH,
  draggedDepth,
  faceAt,
  faceMatrix,
  faceSize,
  FACES,
  isShown,
  mixedPlacement,
  onStage,
  placementOf,
  shareOfLayout,
  type Layout,
  type Placement,
} from '../../src/kernel/cube_geometry.ts';
import { seeded } from '../random.ts';

const SIZES = { dumps: 750, rows: 759, columns: 960 };
const STAGES = [
  { width: 1388, height: 964 },
  { width: 988, height: 754 },
  { width: 640, height: 460 },
];
const LAYOUTS: readonly Layout[] = ['cube', 'flat', 'front', 'top', 'right'];

function close([x, y]: Point, [u, v]: Point): void {
  expect(x).toBeCloseTo(u, 9);
  expect(y).toBeCloseTo(v, 9);
}

/** All layouts, and the way from each to each other. */
function* placements(): Generator<readonly [string, Placement]> {
  for (const stage of STAGES) {
    for (const from of LAYOUTS) {
      for (const to of LAYOUTS) {
        const shares = from === to ? [0] : [0.13, 0.5, 0.87];
        for (const share of shares) {
          const mixed = mixedPlacement(placementOf(from, stage, null), placementOf(to, stage, null), share);
          yield [`${from} ${to} ${share} ${stage.width}`, mixed];
        }
      }
    }
  }
}

describe('the cube', () => {
  for (const stage of STAGES) {
    it(`has faces that meet along their shared edges, ${stage.width} wide`, () => {
      const cube = placementOf('cube', stage, null);
      const { dumps, rows, columns } = SIZES;
      for (const share of [0, 0.3, 1]) {
        // The dumps: upper edge of the front, lower edge of the top, where class 0 is.
        const dump = share * dumps;
        close(onStage(cube, 'front', SIZES, dump, 0), onStage(cube, 'top', SIZES, dump, columns));
        // The rows: right edge of the front, left edge of the right.
        const row = share * rows;
        close(onStage(cube, 'front', SIZES, dumps, row), onStage(cube, 'right', SIZES, 0, row));
        // The columns: right edge of the top, upper edge of the right, counted from the other end.
        const v = share * columns;
        close(onStage(cube, 'top', SIZES, dumps, columns - v), onStage(cube, 'right', SIZES, v, 0));
      }
    });
  }

  it('is as deep as asked for, and never so deep or so flat that a face cannot be pointed at', () => {
    const stage = STAGES[0];
    const edges = (depth: Point | null) => {
      const { front, right } = placementOf('cube', stage, depth).faces;
      return [front.matrix.a, front.matrix.d, right.matrix.a, -right.matrix.b];
    };
    const [w, h, dx, dy] = edges(null);
    expect([dx, dy]).toEqual([DEPTH[0] * stage.width, DEPTH[1] * stage.height]);
    expect(w + dx).toBeCloseTo(stage.width - 236 - 64, 9);
    expect(h + dy).toBeCloseTo(stage.height - 40 - 96, 9);
    expect(Math.min(...edges([0.0001, 0.0001]))).toBeGreaterThanOrEqual(60);
    expect(Math.min(...edges([0.99, 0.99]))).toBeGreaterThanOrEqual(60);
  });

  it('becomes deeper where its far corner is pulled outwards, and stays within its bounds', () => {
    const stage = STAGES[0];
    const [x, y] = draggedDepth(null, stage, 50, -20);
    expect(x * stage.width).toBeCloseTo(DEPTH[0] * stage.width + 50, 6);
    expect(y * stage.height).toBeCloseTo(DEPTH[1] * stage.height + 20, 6);
    const [least] = draggedDepth([x, y], stage, -9999, 9999);
    expect(least * stage.width).toBeCloseTo(60, 6);
  });
});

describe('the flat layout', () => {
  it('lays time from left to right and from top to bottom, both towards the correlation', () => {
    const flat = placementOf('flat', STAGES[0], null);
    const { dumps, rows, columns } = SIZES;
    const [x, y] = onStage(flat, 'right', SIZES, 0, 0);
    const [frontX, frontY] = onStage(flat, 'front', SIZES, dumps, 0);
    expect([x - frontX, frontY]).toEqual([12, y]);
    const [topX, topY] = onStage(flat, 'top', SIZES, dumps, columns);
    expect(topX).toBeCloseTo(x, 9);
    expect(y - topY).toBeCloseTo(12, 9);
    // The same column on both faces, and the same row.
    expect(onStage(flat, 'top', SIZES, 10, columns - 77)[0]).toBeCloseTo(
      onStage(flat, 'right', SIZES, 77, 5)[0],
      9,
    );
    expect(onStage(flat, 'front', SIZES, 10, rows / 3)[1]).toBeCloseTo(
      onStage(flat, 'right', SIZES, 5, rows / 3)[1],
      9,
    );
  });

  it('has the overall error in the free corner, above the front', () => {
    const { chart, faces } = placementOf('flat', STAGES[0], null);
    expect([chart.x, chart.w]).toEqual([faces.front.matrix.e, faces.front.matrix.a]);
    expect(chart.y + chart.h).toBeLessThan(faces.front.matrix.f - 20);
  });
});

describe('every placement, also midway', () => {
  it('never turns a face over', () => {
    for (const [name, placement] of placements()) {
      for (const face of FACES) {
        const { a, b, c, d } = placement.faces[face].matrix;
        expect(a * d - b * c, `${name} ${face}`).toBeGreaterThan(0);
      }
    }
  });

  it('finds 60 random points a face again', () => {
    const random = seeded(11);
    for (const [name, placement] of placements()) {
      for (const face of FACES) {
        if (!isShown(placement, face)) continue;
        const [w, h] = faceSize(face, SIZES);
        for (let i = 0; i < 60; i++) {
          const [x, y] = [random() * w, random() * h];
          const hit = faceAt(placement, SIZES, ...apply(faceMatrix(placement, face, SIZES), x, y));
          // Midway to a layout that hides a face, its neighbour may come to lie over it: the upper one is meant.
          if (hit?.face !== face) {
            expect(placement.parts.length, `${name} ${face}`).toBeGreaterThan(1);
            continue;
          }
          expect(hit.x, name).toBeCloseTo(x, 5);
          expect(hit.y, name).toBeCloseTo(y, 5);
        }
      }
    }
  });

  it('shows the faces of its layout only, all within the stage', () => {
    for (const stage of STAGES.slice(0, 2)) {
      for (const layout of LAYOUTS) {
        const placement = placementOf(layout, stage, null);
        const shown = FACES.filter((face) => isShown(placement, face));
        const wanted = {
          cube: FACES,
          flat: FACES,
          front: ['front', 'right'],
          top: ['top', 'right'],
          right: ['right'],
        };
        expect(shown).toEqual(wanted[layout]);
        for (const face of shown) {
          for (let corner = 0; corner < 4; corner++) {
            const [x, y] = apply(placement.faces[face].matrix, corner % 2, corner >> 1);
            expect(x).toBeGreaterThanOrEqual(0);
            expect(x).toBeLessThanOrEqual(stage.width);
            expect(y).toBeGreaterThanOrEqual(0);
            expect(y).toBeLessThanOrEqual(stage.height);
          }
        }
      }
    }
  });

  it('never lays the overall error over the front', () => {
    for (const [name, { chart, faces }] of placements()) {
      const { f, d } = faces.front.matrix;
      if (chart.shown < 0.5 || faces.front.shown < 0.5) continue;
      expect(chart.y + chart.h <= f || chart.y >= f + d, name).toBe(true);
    }
  });

  it('knows how much of each layout it is', () => {
    const [cube, flat, top] = (['cube', 'flat', 'top'] as const).map((l) => placementOf(l, STAGES[0], null));
    const third = mixedPlacement(cube, flat, 0.25);
    expect(shareOfLayout(third, 'cube')).toBe(0.75);
    expect(shareOfLayout(third, 'flat', 'cube')).toBe(1);
    // Turned round in the midst of the way.
    const turned = mixedPlacement(third, top, 0.5);
    expect(turned.parts.map(({ layout, share }) => [layout, share])).toEqual([
      ['cube', 0.375],
      ['flat', 0.125],
      ['top', 0.5],
    ]);
    expect(mixedPlacement(third, top, 1)).toBe(top);
  });
});
