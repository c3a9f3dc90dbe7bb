import { describe, expect, it } from 'vitest';
import { CorrelationIndex } from '../../src/kernel/correlation.ts';
import { recurring, shared, significantPairs } from '../../src/kernel/notable_pairs.ts';
import { EXAMPLE } from '../correlation_examples.ts';

const index = new CorrelationIndex(EXAMPLE);

describe('recurring', () => {
  it('lists what comes back within a class beyond chance, what hits the most first where classes are equal', () => {
    expect(recurring(index).map(({ set, cls, hits }) => [set, cls, hits])).toEqual([
      [2, 2, 3],
      [0, 0, 2],
      [2, 0, 2],
    ]);
  });

  it('puts what hits fewer classes first', () => {
    const few = { ...EXAMPLE, pairQ: EXAMPLE.pairQ.slice(), pairHits: EXAMPLE.pairHits.slice() };
    few.pairQ[3] = 0.04;
    few.pairHits[3] = 2;
    expect(recurring(new CorrelationIndex(few))[0]).toMatchObject({ set: 1, cls: 2, classes: 1 });
  });

  it('leaves out single hits, however surprising', () => {
    const one = { ...EXAMPLE, pairQ: EXAMPLE.pairQ.slice() };
    one.pairQ[1] = 0.001;
    expect(recurring(new CorrelationIndex(one)).some(({ hits }) => hits < 2)).toBe(false);
  });
});

describe('shared', () => {
  it('lists what goes with several classes, those with the smallest q first', () => {
    const found = shared(index);
    expect(found.map(({ set }) => set)).toEqual([2]);
    expect(found[0].pairs.map(({ cls }) => cls)).toEqual([2, 0]);
  });

  it('counts significant classes only', () => {
    expect(significantPairs(index)).toHaveLength(3);
    const none = { ...EXAMPLE, level: 0.001 };
    expect(shared(new CorrelationIndex(none))).toEqual([]);
  });
});
