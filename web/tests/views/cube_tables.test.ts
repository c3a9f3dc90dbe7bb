import { describe, expect, it } from 'vitest';
import { CorrelationIndex } from '../../src/kernel/correlation.ts';
import { columnsCsv, miniSetsCsv, pairsCsv, type Tabled } from '../../src/views/cube/tables.ts';
import { EXAMPLE, IDS, NAMES } from '../correlation_examples.ts';

const all: Tabled = {
  index: new CorrelationIndex(EXAMPLE),
  iterations: Float64Array.from({ length: 40 }, (_, dump) => dump * 200),
  minis: [],
  classes: [],
  brush: null,
  nameOf: (cls) => NAMES[cls],
  layerName: (layer) => `layer${layer}`,
};
const lines = (csv: string) => csv.trimEnd().split('\n');

describe('tables', () => {
  it('have a row for each mini-set that is shown, or pinned', () => {
    expect(lines(miniSetsCsv(all))).toEqual([
      'mini_set,layer,filters,appears,iterations,classes,significant',
      '00000000000a,layer1,0 3,2,1000 1800,3,1',
      '00000000000b,layer1,8,1,4000,1,0',
      '000000c0ffee,layer6,2 4 5,4,1000 1800 4000 6000,3,2',
      '00000000000d,layer6,7,1,6000,1,0',
    ]);
    expect(lines(miniSetsCsv({ ...all, minis: [IDS.d, 99] }))).toHaveLength(2);
  });

  it('have a row for each pair', () => {
    const pairs = lines(pairsCsv(all));
    expect(pairs).toHaveLength(9);
    expect(pairs[1]).toBe('00000000000a,layer1,2,cat,2,2,2,0.001,0.02');
    expect(lines(pairsCsv({ ...all, minis: [IDS.c], classes: [4] })).slice(1)).toEqual([
      '000000c0ffee,layer6,4,elk,1,1,4,0.5,0.9',
    ]);
  });

  it('have a row for each anomaly iteration, with the mini-sets there', () => {
    expect(lines(columnsCsv(all))).toHaveLength(7);
    expect(lines(columnsCsv({ ...all, brush: [9, 21], classes: [7] }))).toEqual([
      'class,name,dump,iteration,left,right,mini_sets',
      '7,hen,20,4000,0.25,0.5,2',
    ]);
  });
});
