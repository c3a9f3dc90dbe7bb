import { describe, expect, it } from 'vitest';
import { comparisonOf } from '../../src/kernel/comparison.ts';
import { CorrelationIndex } from '../../src/kernel/correlation.ts';
import { EXAMPLE, IDS } from '../correlation_examples.ts';

const index = new CorrelationIndex(EXAMPLE);

describe('comparisonOf', () => {
  it('tells each mini-set in the order in which they were pinned', () => {
    const { sets } = comparisonOf(index, [IDS.c, IDS.a]);
    expect(sets).toMatchObject([
      { id: IDS.c, layer: 6, classes: 3, significant: 2 },
      { id: IDS.a, layer: 1, classes: 3, significant: 1 },
    ]);
    expect([...sets[0].filters]).toEqual([2, 4, 5]);
    expect([...sets[1].dumps]).toEqual([5, 9]);
  });

  it('says what they share: iterations at which all appear, classes that all hit', () => {
    const both = comparisonOf(index, [IDS.a, IDS.c]);
    expect([both.dumps, both.anyDump, both.shared]).toEqual([[5, 9], 4, 3]);
    const apart = comparisonOf(index, [IDS.a, IDS.b]);
    expect([apart.dumps, apart.anyDump, apart.shared]).toEqual([[], 3, 1]);
  });

  it('lists the classes that all hit first, then the most surprising', () => {
    const { classes } = comparisonOf(index, [IDS.a, IDS.b]);
    expect(classes.map(({ cls }) => cls)).toEqual([7, 2, 4]);
    expect(classes[0].pairs.map((pair) => pair?.hits)).toEqual([1, 1]);
    expect(classes[1]).toMatchObject({ jumps: 2, pairs: [{ hits: 2 }, null] });
  });

  it('leaves out what the answer does not have', () => {
    expect(comparisonOf(index, [77, IDS.d]).sets.map(({ id }) => id)).toEqual([IDS.d]);
    expect(comparisonOf(index, [])).toEqual({ sets: [], classes: [], dumps: [], anyDump: 0, shared: 0 });
  });
});
