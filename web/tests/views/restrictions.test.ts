import { describe, expect, it } from 'vitest';
import { DEFAULTS, type View } from '../../src/kernel/view_state.ts';
import { restrictionsOf } from '../../src/views/frame/restrictions.ts';

const names = { classes: ['dome', 'gong', 'sky', 'hay'], layers: ['conv1', 'layer1.0', 'fc'] };
const of = (change: Partial<View>) => restrictionsOf({ ...DEFAULTS, ...change }, names);

const RESTRICTED: Partial<View> = {
  zoom: [1200, 34000],
  onlyClasses: [1],
  onlyLayers: [0, 1, 2],
  win: 12,
  th: 40,
  rule: 'left',
  top: 50,
  appears: 3,
  significant: true,
};

describe('restrictionsOf', () => {
  it('says nothing where nothing is left out', () => {
    expect(of({})).toEqual([]);
    expect(of({ marks: [3], brush: [1, 2], minis: [4], pinnedClasses: [1] })).toEqual([]);
  });

  it('names each restriction', () => {
    expect(of(RESTRICTED).map(({ label }) => label)).toEqual([
      'Iterations 1,200 – 34,000',
      'Only gong',
      'Only 3 layers',
      'Anomalies: window 12, score ≥ 40 %',
      'Only the left rule',
      'Top 50 filters',
      'Mini-sets that appear ≥ 3 times',
      'Beyond chance',
    ]);
    expect(of({ onlyLayers: [0, 1, 2] })[0].title).toBe('conv1, layer1.0, fc');
  });

  it('takes back one restriction and leaves the others', () => {
    for (const { id, change } of of(RESTRICTED)) {
      const left = of({ ...RESTRICTED, ...change });
      expect(left.map((other) => other.id)).toEqual(
        of(RESTRICTED)
          .map((other) => other.id)
          .filter((other) => other !== id),
      );
    }
  });

  it('takes back everything with all of them', () => {
    const all: Partial<View> = Object.assign({}, ...of(RESTRICTED).map(({ change }) => change));
    expect({ ...DEFAULTS, ...RESTRICTED, ...all }).toEqual(DEFAULTS);
  });

  it('counts layers where their names are not known, and tells a limit in place of a number', () => {
    expect(restrictionsOf({ ...DEFAULTS, onlyLayers: [1] }, { ...names, layers: [] })[0].label).toBe(
      'Only 1 layer',
    );
    const limited = { view: 'cube', top: 50, above: 0.02 } as const;
    expect(of(limited).map(({ label }) => label)).toEqual(['Filters that moved > 0.02']);
  });

  it('knows of which there is nothing in a view', () => {
    const elsewhere = (view: View['view'], change = RESTRICTED) =>
      of({ ...change, view })
        .filter(({ isHere }) => !isHere)
        .map(({ id }) => id);
    expect([elsewhere('cube'), elsewhere('correlation')]).toEqual([[], []]);
    expect(elsewhere('layers')).toEqual(['classes', 'setting', 'rule', 'appears', 'significant']);
    expect(elsewhere('validation')).toEqual(['layers', 'top', 'appears', 'significant']);
  });

  it('tells the number too where a limit takes its place in other views only', () => {
    const found = of({ view: 'layers', top: 50, above: 0.02 });
    expect(found.map(({ id, isHere }) => [id, isHere])).toEqual([
      ['above', false],
      ['top', true],
    ]);
  });
});
