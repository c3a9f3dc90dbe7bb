import { describe, expect, it } from 'vitest';
import { CorrelationIndex } from '../../src/kernel/correlation.ts';
import { EXAMPLE, IDS } from '../correlation_examples.ts';

const index = new CorrelationIndex(EXAMPLE);

describe('CorrelationIndex', () => {
  it('finds a mini-set by its id', () => {
    expect(index.setOf(IDS.c)).toBe(2);
    expect(index.setOf(1)).toBeNull();
  });

  it('gives the rows, filters and dumps of a mini-set', () => {
    expect(index.rowsOf(2)).toEqual([3, 6]);
    expect([...index.filtersOf(2)]).toEqual([2, 4, 5]);
    expect([...index.dumpsOf(0)]).toEqual([5, 9]);
    expect(index.appears(1, 20)).toBe(true);
    expect(index.appears(1, 5)).toBe(false);
  });

  it('gives the classes that a mini-set hits', () => {
    expect(index.pairsOf(1).map(({ cls, hits }) => [cls, hits])).toEqual([[2, 1]]);
    expect(index.pairOf(2, 2)).toMatchObject({ set: 2, cls: 2, hits: 3 });
    expect(index.pairOf(3, 0)).toBeNull();
  });

  it('knows which class has which column', () => {
    expect([0, 1, 2, 3, 4, 5].map((column) => index.classOfColumn(column))).toEqual([0, 0, 1, 2, 2, 2]);
    expect(index.columnOf(2, 20)).toBe(4);
    expect(index.columnOf(1, 5)).toBeNull();
    expect([...index.jumpsOf(0)]).toEqual([5, 9]);
  });

  it('tells places of classes and layers of the run', () => {
    expect([index.classPlace(7), index.classPlace(3), index.layerPlace(6), index.layerPlace(0)]).toEqual([
      2,
      null,
      1,
      null,
    ]);
  });
});
