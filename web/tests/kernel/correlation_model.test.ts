import { describe, expect, it } from 'vitest';
import { CorrelationIndex } from '../../src/kernel/correlation.ts';
import { CorrelationModel, type Cut, type RowsBy } from '../../src/kernel/correlation_model.ts';
import { seeded } from '../random.ts';
import { randomCorrelation, type Shape } from '../random_correlation.ts';

const PIXELS = 550;

function modelOf(by: RowsBy, seed = 1, shape: Partial<Shape> = {}, cut?: Cut): CorrelationModel {
  const table = randomCorrelation(seed, shape);
  const all = { classes: [...table.classes.keys()], layers: [...table.layers.keys()] };
  return new CorrelationModel(new CorrelationIndex(table), cut ?? all, by, PIXELS);
}

describe('columns', () => {
  it('give each class room for its anomaly iterations, in the order of the answer', () => {
    const model = modelOf('filter');
    let x = 0;
    model.classes.forEach((span, i) => {
      expect(span.cls).toBe(model.table.classes[i]);
      expect(span.x).toBe(x);
      expect(span.width).toBe(4 * span.count + 6);
      x += span.width;
    });
    expect(model.width).toBe(x);
    expect(model.classes.reduce((sum, span) => sum + span.count, 0)).toBe(model.table.columnDump.length);
  });

  it('are found again at their middle, and anywhere nearer to them than to others of their class', () => {
    const model = modelOf('filter', 2);
    for (let column = 0; column < model.table.columnDump.length; column++) {
      const x = model.columnX(column);
      for (const away of [-1.9, 0, 1.9]) expect(model.columnAt(x + away)).toBe(column);
    }
    const first = model.classes[0];
    expect(model.columnAt(first.x)).toBe(first.first);
    expect(model.columnAt(first.x + first.width - 0.01)).toBe(first.first + first.count - 1);
    expect(model.classAt(first.x + first.width)).toBe(model.classes[1]);
    expect([model.classAt(-0.01), model.classAt(model.width), model.columnAt(-1)]).toEqual([
      null,
      null,
      null,
    ]);
  });
});

describe('rows', () => {
  it('are the filters in their order, so that a mini-set is one band', () => {
    const model = modelOf('filter', 3);
    const { table } = model;
    let rows = 0;
    for (const { y, height, rows: own } of model.layers) {
      expect(height).toBe(2 * own.length);
      own.forEach((filter, i) => {
        expect(filter).toBe(rows++);
        const hit = model.rowAt(y + 2 * i + 0.5);
        expect([hit?.filter, hit?.set]).toEqual([filter, table.filterSet[filter]]);
        expect(model.filterY(filter)).toBe(y + 2 * i + 1);
      });
    }
    expect(rows).toBe(table.filters.length);
    for (let set = 0; set < table.setSize.length; set++) {
      expect(model.setHeight[set]).toBe(2 * table.setSize[set]);
      const first = model.rowAt(model.setY[set] + 0.1);
      const last = model.rowAt(model.setY[set] + model.setHeight[set] - 0.1);
      expect([first?.set, last?.set]).toEqual([set, set]);
      expect(first?.span.place).toBe(table.setLayer[set]);
    }
  });

  it('have a gap between layers in which nothing lies', () => {
    const model = modelOf('filter', 4);
    const [one, two] = model.layers;
    expect(two.y - one.y - one.height).toBe(3);
    expect(model.rowAt(one.y + one.height + 1)).toBeNull();
    expect([model.rowAt(-0.1), model.rowAt(model.height)]).toEqual([null, null]);
  });

  it('have a gap that is seen, however many there are', () => {
    const model = modelOf('filter', 4, { filters: 900, layers: 8 });
    const [one, two] = model.layers;
    expect(((two.y - one.y - one.height) * PIXELS) / model.height).toBeGreaterThan(1.1);
  });

  it('may be mini-sets, each as high as the others, or layers', () => {
    const bySet = modelOf('set', 5);
    expect(new Set(bySet.setHeight)).toEqual(new Set([2]));
    expect(bySet.sets.length).toBe(bySet.table.setSize.length);
    const hit = bySet.rowAt(bySet.setY[3] + 1);
    expect([hit?.set, hit?.filter]).toEqual([3, null]);
    const byLayer = modelOf('layer', 5);
    expect(byLayer.layers.map((span) => [...span.rows])).toEqual(byLayer.layers.map((span) => [span.place]));
    expect(byLayer.sets.length).toBe(0);
    expect(byLayer.rowAt(1)).toMatchObject({ filter: null, set: null });
    expect([byLayer.filterY(0), bySet.filterY(0)]).toEqual([null, null]);
  });
});

describe('hits', () => {
  it('are the columns of a mini-set by the definition, for those pairs that the answer has', () => {
    const random = seeded(9);
    for (let seed = 0; seed < 12; seed++) {
      const table = randomCorrelation(seed);
      // Some pairs are left out, as where only those are asked for that chance does not explain.
      const keep = Array.from(table.pairSet, () => random() < 0.7);
      const of = (list: Int32Array) => list.filter((_, i) => keep[i]);
      const some = { ...table, pairSet: of(table.pairSet), pairClass: of(table.pairClass) };
      const cut = { classes: [...table.classes.keys()], layers: [...table.layers.keys()] };
      const model = new CorrelationModel(new CorrelationIndex(some), cut, 'filter', PIXELS);
      let most = 0;
      for (let set = 0; set < table.setSize.length; set++) {
        const wanted: number[] = [];
        for (let column = 0; column < table.columnDump.length; column++) {
          const place = model.classOfColumn[column];
          const isPair = keep.some(
            (kept, i) => kept && table.pairSet[i] === set && table.pairClass[i] === place,
          );
          if (isPair && model.index.appears(set, table.columnDump[column])) wanted.push(column);
        }
        expect([...model.hitsOf(set)]).toEqual(wanted);
        most = Math.max(most, wanted.length);
        for (const column of wanted) expect(model.isHit(set, column)).toBe(true);
      }
      expect(model.hits.most).toBe(most);
      expect(model.hits.column.length).toBeGreaterThan(0);
    }
  });
});

describe('a cut', () => {
  it('leaves out classes and layers, and mini-sets that appear in no drawn class', () => {
    const whole = modelOf('filter', 6, { density: 0.04 });
    const cut = { classes: [1, 4], layers: [0, 2, 3] };
    const model = modelOf('filter', 6, { density: 0.04 }, cut);
    expect(model.classes.map((span) => span.place)).toEqual([1, 4]);
    expect(model.classes[1].x).toBe(model.classes[0].width);
    expect(model.classOfColumn[0]).toBe(-1);
    expect(model.classOfColumn[model.classes[1].first]).toBe(1);
    for (let set = 0; set < whole.table.setSize.length; set++) {
      const inLayer = cut.layers.includes(whole.table.setLayer[set]);
      const hits = [...whole.hitsOf(set)].filter((column) =>
        cut.classes.includes(whole.classOfColumn[column]),
      );
      expect(model.setHeight[set] > 0).toBe(inLayer && hits.length > 0);
      expect([...model.hitsOf(set)]).toEqual(inLayer ? hits : []);
    }
  });

  it('of nothing, or an answer without anything, is an empty face', () => {
    for (const by of ['filter', 'set', 'layer'] as const) {
      const model = modelOf(by, 1, {}, { classes: [], layers: [] });
      expect([model.classes, model.layers, model.width, model.height]).toEqual([[], [], 1, 1]);
      expect([model.columnAt(0), model.rowAt(0), model.hits.most]).toEqual([null, null, 0]);
    }
  });
});

describe('a random point', () => {
  it('of a large face has one class, column, layer and row, those of a plain search', () => {
    const model = modelOf('filter', 8, { classes: 60, layers: 40, filters: 8 });
    const random = seeded(1);
    for (let i = 0; i < 500; i++) {
      const x = random() * model.width;
      const y = random() * model.height;
      const cls = model.classes.find((span) => x >= span.x && x < span.x + span.width);
      expect(model.classAt(x)).toBe(cls);
      const layer = model.layers.find((span) => y >= span.y && y < span.y + span.height);
      expect(model.rowAt(y)?.span).toBe(layer);
    }
  });
});
