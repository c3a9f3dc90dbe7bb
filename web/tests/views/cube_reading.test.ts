import { describe, expect, it } from 'vitest';
import { Columns } from '../../src/kernel/columns.ts';
import { CorrelationIndex } from '../../src/kernel/correlation.ts';
import type { ClassErrors, CorrelationRows, Overall } from '../../src/source.ts';
import { NOTHING, type CubeHover } from '../../src/views/cube/hit.ts';
import { settingsOf } from '../../src/views/cube/question.ts';
import { withSetting } from '../../src/kernel/suggested.ts';
import { DEFAULTS } from '../../src/kernel/view_state.ts';
import { chanceText, probabilityText, readingOf, type Readable } from '../../src/views/cube/reading.ts';
import { EXAMPLE, NAMES } from '../correlation_examples.ts';

const DUMPS = 40;
const cursor = { iteration: 7800, branch: 0 };
const errors = Columns.of(NAMES.length, new Uint8Array(NAMES.length * DUMPS).fill(128));
const classErrors: ClassErrors = {
  ...cursor,
  detail: { level: 1, first: 0, end: DUMPS },
  error: errors,
  highest: errors,
};
const cells = new Uint8Array(EXAMPLE.filters.length * DUMPS).fill(1);
cells[4 * DUMPS + 9] = 255;
const rows: CorrelationRows = {
  ...cursor,
  settings: settingsOf(withSetting(DEFAULTS, [])),
  by: 'filter',
  detail: { level: 1, first: 0, end: DUMPS },
  dumps: DUMPS,
  rows: EXAMPLE.filters.length,
  columns: DUMPS,
  cells,
};
const overall: Overall = {
  ...cursor,
  iterations: Columns.of(1, new Float64Array(DUMPS)),
  validation: Columns.of(1, new Float32Array(DUMPS).fill(0.25)),
  training: Columns.of(1, new Float32Array(DUMPS).fill(0.125)),
};
const readable: Readable = {
  iterations: Float64Array.from({ length: DUMPS }, (_, dump) => dump * 200),
  index: new CorrelationIndex(EXAMPLE),
  rows,
  errors: classErrors,
  overall,
  classSizes: NAMES.map(() => 100),
  measure: 'change',
  nameOf: (cls) => NAMES[cls],
  layerName: (layer) => `layer${layer}`,
};
const read = (hover: Partial<CubeHover> & Pick<CubeHover, 'place'>, from: Partial<Readable> = {}) =>
  Object.fromEntries(readingOf({ ...readable, ...from }, { ...NOTHING, ...hover }));

describe('readingOf', () => {
  it('is empty where nothing is pointed at', () => {
    expect(readingOf(readable, null)).toEqual([]);
  });

  it('says all of a rectangle of the correlation', () => {
    const hover = {
      place: 'right',
      cls: 2,
      column: 1,
      dump: 9,
      layer: 6,
      filter: 4,
      set: 2,
      isHit: true,
    } as const;
    expect(readingOf(readable, { ...NOTHING, ...hover })).toEqual([
      ['Iteration', '1,800 · dump 9'],
      ['Class', 'cat'],
      ['Error rate', '50 %'],
      ['Anomaly iterations', '2'],
      ['Left · right rule', '0 % · 50 %'],
      ['Layer', 'layer6'],
      ['Filter', '#4'],
      ['change (relative, l2)', '100 % of its largest'],
      ['Mini-set', '3 filters'],
      ['Appears in', '4 it. · 3 classes'],
      ['Hits', '2 of 2, beyond chance'],
      ['p · q', '0.002 · 0.03'],
    ]);
  });

  it('says on the front what a filter does, and on the top what a class does', () => {
    expect(read({ place: 'front', dump: 8, layer: 6, filter: 4, set: 2 })).toMatchObject({
      'change (relative, l2)': '0 % of its largest',
      'Mini-set': '3 filters',
    });
    const top = read({ place: 'top', dump: 20, cls: 7 });
    expect(top).toMatchObject({ Class: 'hen', 'Left · right rule': '25 % · 50 %' });
    expect(top).not.toHaveProperty('Layer');
  });

  it('reads a mini-set as a whole where rows are mini-sets', () => {
    const sets = { ...rows, by: 'set' as const, rows: 4, cells: new Uint8Array(4 * DUMPS).fill(128) };
    const said = read({ place: 'front', dump: 8, layer: 6, set: 2 }, { rows: sets });
    expect(said['change (relative, l2)']).toBe('50 % of its largest');
    expect(said).not.toHaveProperty('Filter');
  });

  it('says what a cell of counts is', () => {
    expect(read({ place: 'right', cls: 4, layer: 1 })['Anomaly filters']).toBe('2');
  });

  it('says the overall errors on their chart', () => {
    expect(read({ place: 'chart', dump: 3 })).toEqual({
      Iteration: '600 · dump 3',
      'Validation error': '25 %',
      'Training error': '13 %',
    });
  });

  it('says that a value was not recorded', () => {
    const missing = { ...rows, cells: new Uint8Array(cells.length) };
    expect(read({ place: 'front', dump: 8, layer: 1, filter: 3, set: 0 }, { rows: missing })).toMatchObject({
      'change (relative, l2)': 'not recorded',
    });
  });

  it('says mean and highest where a column stands for several dumps', () => {
    const detail = { level: 4, first: 0, end: DUMPS };
    const coarse = { ...classErrors, detail, highest: Columns.of(8, new Uint8Array(80).fill(255)) };
    const short = { ...coarse, error: Columns.of(8, new Uint8Array(80).fill(128)) };
    expect(read({ place: 'top', dump: 9, cls: 2 }, { errors: short })).toMatchObject({
      'Error rate, mean': '50 %',
      Highest: '100 %',
      Column: '1,600 – 2,200',
    });
  });
});

describe('probabilities', () => {
  it('have as many digits as are worth reading', () => {
    expect([1, 0.5, 0.0123, 0.004, 2e-7].map(probabilityText)).toEqual([
      '1',
      '0.50',
      '0.01',
      '0.004',
      '2e-7',
    ]);
  });

  it('come with their verdict', () => {
    expect(chanceText({ p: 0.2, q: 0.6 }, 0.05)).toBe('p 0.20 · q 0.60, may be chance');
    expect(chanceText({ p: 1e-5, q: 0.05 }, 0.05)).toMatch(/beyond chance$/);
  });
});
