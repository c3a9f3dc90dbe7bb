import { describe, expect, it } from 'vitest';
import { CorrelationIndex } from '../../src/kernel/correlation.ts';
import type { Flip } from '../../src/kernel/predictions.ts';
import { DEFAULTS } from '../../src/kernel/view_state.ts';
import { classesOf, picturesOf } from '../../src/views/cube/pictures.ts';
import { EXAMPLE, IDS } from '../correlation_examples.ts';

const index = new CorrelationIndex(EXAMPLE);

describe('classesOf', () => {
  it('takes pinned classes at all of their anomaly iterations', () => {
    expect(classesOf(index, { ...DEFAULTS, pinnedClasses: [7, 1] })).toEqual([
      { cls: 7, dumps: [5, 20, 30] },
      { cls: 1, dumps: [] },
    ]);
  });

  it('takes the classes of a mini-set where it appears, the most surprising first', () => {
    expect(classesOf(index, { ...DEFAULTS, minis: [IDS.a] })).toEqual([
      { cls: 2, dumps: [5, 9] },
      { cls: 4, dumps: [9] },
      { cls: 7, dumps: [5] },
    ]);
  });

  it('names each class once, and nothing for what the answer does not have', () => {
    const both = classesOf(index, { ...DEFAULTS, minis: [IDS.b, 99], pinnedClasses: [7] });
    expect(both).toEqual([{ cls: 7, dumps: [5, 20, 30] }]);
    expect(classesOf(index, DEFAULTS)).toEqual([]);
  });
});

describe('picturesOf', () => {
  const flip = (row: number, dump: number, before = 20): Flip => ({
    row,
    dump,
    before,
    after: 1,
    becameCorrect: true,
  });

  it('puts what flipped at most of the dumps in front, then what flipped, then the others', () => {
    const flips = [flip(3, 5), flip(1, 5), flip(3, 20), flip(0, 6), flip(2, 5, 1)];
    expect(picturesOf(5, flips, [5, 20], 10)).toEqual([
      { row: 3, flips: 2 },
      { row: 1, flips: 1 },
      { row: 0, flips: 0 },
      { row: 2, flips: 0 },
      { row: 4, flips: 0 },
    ]);
  });
});
