import { describe, expect, it } from 'vitest';
import {
  findingsText,
  iterationsOf,
  kindsOf,
  severestOf,
  severitiesText,
  showing,
  showingSample,
  type Finding,
} from '../../src/kernel/findings.ts';
import { decode, DEFAULTS, encode } from '../../src/kernel/view_state.ts';

const END = 5000;
const one: Finding = {
  key: 'dead-filters.l3',
  kind: 'dead-filters',
  severity: 'high',
  title: 'Dead filters',
  text: '2 of 16 filters of conv3 are dead.',
  evidence: 'No change from iteration 40 on.',
  meaning: 'No input activates them.',
  remedy: 'Warm the learning rate up.',
  view: 'layers',
  measure: 'change',
  layer: 3,
  filters: [4, 9],
  classes: [],
  samples: [],
  sample_count: 0,
  first: 40,
  last: 4000,
};
const ofClasses = (classes: number[], more: Partial<Finding> = {}): Finding => ({
  ...one,
  view: 'validation',
  measure: null,
  layer: null,
  filters: [],
  classes,
  ...more,
});

describe('showing', () => {
  it('unfolds the layer with the measure of its kind, and brushes its iterations', () => {
    expect(showing(one, END)).toMatchObject({
      view: 'layers',
      stat: 'change',
      filterStat: 'change',
      layers: [3],
      filter: null,
      brush: [40, 4001],
      finding: 'dead-filters.l3',
    });
  });

  it('selects a filter that is the only one, and a sample that is', () => {
    expect(showing({ ...one, filters: [9] }, END).filter).toEqual([3, 9]);
    expect(showing(ofClasses([2], { samples: [77] }), END)).toMatchObject({ classes: [2], sample: 77 });
  });

  it('opens few classes, and restricts the views to many', () => {
    expect(showing(ofClasses([2, 5]), END)).toMatchObject({ classes: [2, 5], onlyClasses: [] });
    expect(showing(ofClasses([1, 2, 3, 4]), END)).toMatchObject({ classes: [], onlyClasses: [1, 2, 3, 4] });
  });

  it('brushes nothing where all of the run is meant', () => {
    expect(showing({ ...one, first: 0, last: END }, END).brush).toBeNull();
    expect(showing({ ...one, first: null, last: null }, END).brush).toBeNull();
    expect(showing({ ...one, last: null }, END).brush).toEqual([40, 5001]);
  });

  it('lets go of what another finding selected, and leaves what was set', () => {
    const before = { ...DEFAULTS, win: 12, sample: 5, onlyClasses: [1], flight: 400, k: 7 };
    const after = { ...before, ...showing(one, END) };
    expect(after).toMatchObject({ win: 12, k: 7, sample: null, onlyClasses: [], flight: null });
    expect(decode(encode(after))).toEqual(after);
  });

  it('opens the class of a sample of several', () => {
    const found = ofClasses([1, 2, 3, 4], { samples: [70, 71], sample_count: 2 });
    expect(showingSample(found, 71, 3, END)).toMatchObject({ sample: 71, classes: [3], onlyClasses: [] });
  });
});

describe('words', () => {
  it('count severities and kinds', () => {
    const some = [
      one,
      { ...one, key: 'b', severity: 'low' as const },
      ofClasses([1], { kind: 'c', title: 'C' }),
    ];
    expect(severitiesText(some)).toBe('2 high, 1 low');
    expect(severestOf(some)).toBe('high');
    expect(severestOf([])).toBeNull();
    expect(kindsOf(some)).toEqual([
      { kind: 'dead-filters', title: 'Dead filters', count: 2 },
      { kind: 'c', title: 'C', count: 1 },
    ]);
  });

  it('say when', () => {
    expect(iterationsOf(one)).toBe('iterations 40 – 4,000');
    expect(iterationsOf({ ...one, last: 40 })).toBe('iteration 40');
    expect(iterationsOf({ ...one, last: null })).toBe('from iteration 40 on');
    expect(iterationsOf({ ...one, first: null, last: null })).toBe('');
  });

  it('tell all of a finding as text', () => {
    const text = findingsText('net', [one]);
    for (const part of ['net: 1 finding', '[high] Dead filters', one.evidence, one.meaning, one.remedy])
      expect(text).toContain(part);
  });
});
