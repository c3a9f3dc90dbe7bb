import { describe, expect, it } from 'vitest';
import { THEMES } from '../../src/kernel/colour.ts';
import { Columns } from '../../src/kernel/columns.ts';
import { entriesOf, matrixOf, type ConfusionTable } from '../../src/kernel/confusion.ts';
import { confusionRamp, lutsOf, rightRamp } from '../../src/views/confusion/colours.ts';
import { drawStatic } from '../../src/views/confusion/draw_static.ts';
import { hitAt } from '../../src/views/confusion/hit.ts';
import { columnX, placesOf, rowY, stepOf, type Scene } from '../../src/views/confusion/scene.ts';
import { RecordingSurface } from '../marks/recording_surface.ts';

const TABLE: ConfusionTable = {
  offsets: Int32Array.of(0, 2, 3, 3),
  predicted: Int32Array.of(0, 1, -2),
  count: Int32Array.of(6, 2, 4),
  before: null,
};

function sceneOf(width = 1388, height = 900): Scene {
  const matrix = matrixOf(TABLE, [0, 1, 2], new Set());
  const names = ['cat', 'dog', 'fox'];
  const facts = { cells: matrix.columns.length, longestName: 16, hasGroups: true };
  const unknown = () => Columns.of(1, new Float32Array(5).fill(0.5));
  const iterations = Float64Array.from([0, 10, 20, 30, 40]);
  return {
    theme: THEMES.light,
    width,
    height,
    places: placesOf(width, height, facts),
    axis: { iterations, d0: 0, d1: 5, x0: 148, width: width - 266 },
    overall: {
      iterations: Columns.of(1, iterations),
      validation: unknown(),
      training: unknown(),
      iteration: 40,
      branch: 0,
    },
    stages: [],
    marks: [],
    table: TABLE,
    matrix,
    entries: entriesOf(TABLE, matrix),
    window: { row: 0, column: 0, cells: matrix.columns.length },
    isZoomed: false,
    isChange: false,
    groups: [{ cluster: 0, from: 0, to: 3 }],
    luts: lutsOf(THEMES.light, false),
    errorLut: new Uint32Array(256),
    nameOf: (label) => names[label] ?? 'no number',
  };
}

describe('places', () => {
  it('never overlap, whatever the stage, the classes and their names', () => {
    for (const [width, height] of [
      [720, 520],
      [988, 680],
      [1388, 900],
      [2200, 1300],
    ]) {
      for (const cells of [1, 2, 10, 1000]) {
        const facts = { cells, longestName: 30, hasGroups: true };
        const { matrix, errorX, groupX, drawer, scrubY } = placesOf(width, height, facts);
        expect(matrix.y + matrix.h).toBeLessThan(scrubY);
        expect(errorX).toBeGreaterThan(matrix.x + matrix.w);
        expect(groupX).toBeGreaterThan(errorX);
        expect(drawer.x).toBeGreaterThan(groupX);
        expect(matrix.w).toBe(matrix.h);
        if (width >= 988) expect(drawer.w).toBeGreaterThan(230);
      }
    }
  });
});

describe('what lies under a point', () => {
  const scene = sceneOf();
  const step = stepOf(scene);

  it('is a cell, the name of its row or column, or a dump', () => {
    const x = columnX(scene, 1) + step / 2;
    const y = rowY(scene, 0) + step / 2;
    expect(hitAt(scene, x, y)).toEqual({ area: 'cell', dump: null, row: 0, column: 1 });
    expect(hitAt(scene, 60, y)).toMatchObject({ area: 'row', row: 0, column: null });
    expect(hitAt(scene, x, scene.places.matrix.y - 10)).toMatchObject({ area: 'column', column: 1 });
    const { x0, width } = scene.axis;
    expect(hitAt(scene, x0 + width * 0.5, scene.places.scrubY + 30)).toMatchObject({
      area: 'scrub',
      dump: 2,
    });
  });

  it('is nothing below the last row, and beside the matrix', () => {
    expect(hitAt(scene, columnX(scene, 1), rowY(scene, 3) + 4)).toBeNull();
    expect(hitAt(scene, scene.places.drawer.x + 5, 200)).toBeNull();
  });
});

describe('the drawing', () => {
  it('names all rows and columns that have room, counts cells, and hatches classes without samples', () => {
    const surface = new RecordingSurface();
    drawStatic(surface, sceneOf());
    const texts = surface.texts.map(({ text }) => text);
    for (const text of [
      'cat',
      'dog',
      'fox',
      'no number',
      '6',
      '75 %',
      '2',
      '25 %',
      'Cluster 1',
      '3 classes',
    ]) {
      expect(texts).toContain(text);
    }
    expect(surface.hatches).toHaveLength(1);
  });

  it('has grey of its own for what is right', () => {
    const theme = THEMES.light;
    expect(rightRamp(theme).some((colour) => confusionRamp(theme).includes(colour))).toBe(false);
  });
});
