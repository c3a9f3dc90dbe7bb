import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CorrelationIndex } from '../../src/kernel/correlation.ts';
import { networkOf, type NetworkAnswer } from '../../src/kernel/network.ts';
import { DEFAULTS, type View } from '../../src/kernel/view_state.ts';
import { missingFromCube } from '../../src/views/cube/stale_link.ts';
import { answer, EXAMPLE, IDS } from '../correlation_examples.ts';

const network = networkOf(
  JSON.parse(readFileSync(new URL('../networks/vgg.json', import.meta.url), 'utf8')) as NetworkAnswer,
);
const known = { classes: 8, network, found: answer(), index: new CorrelationIndex(EXAMPLE) };
const missing = (change: Partial<View>) => missingFromCube({ ...DEFAULTS, ...change }, known);

describe('missingFromCube', () => {
  it('finds nothing wrong with a view that fits', () => {
    expect(missing({})).toBeNull();
    expect(
      missing({ minis: [IDS.a, IDS.d], pinnedClasses: [7], onlyClasses: [0], onlyLayers: [0] }),
    ).toBeNull();
  });

  it('counts mini-sets that do not exist and keeps the others', () => {
    expect(missing({ minis: [IDS.a, 5, IDS.c, 6, IDS.d] })).toEqual({
      text: '2 of 5 mini-sets in this link do not exist in this run.',
      change: { minis: [IDS.a, IDS.c, IDS.d] },
    });
  });

  it('keeps mini-sets that a restriction may hide', () => {
    for (const change of [
      { onlyLayers: [0] },
      { significant: true },
      { appears: 2 },
      { zoom: [0, 5] as const },
    ]) {
      expect(missing({ minis: [5], ...change })).toBeNull();
    }
    expect(missingFromCube({ ...DEFAULTS, minis: [5] }, { ...known, found: null, index: null })).toBeNull();
  });

  it('takes out classes and layers that are not there, and says so', () => {
    const layers = network.layers.length;
    expect(missing({ pinnedClasses: [1, 8], onlyClasses: [2, 9], onlyLayers: [layers] })).toEqual({
      text:
        '1 of 2 classes that this link is restricted to does not exist in this run. ' +
        '1 of 1 layers that this link is restricted to does not exist in this run. ' +
        '1 of 2 classes in this link does not exist in this run.',
      change: { pinnedClasses: [1], onlyClasses: [2], onlyLayers: [] },
    });
  });

  it('takes the default for a distance that was not recorded', () => {
    const few = { ...network, filterMeasures: ['change'] };
    const said = missingFromCube({ ...DEFAULTS, distance: 'euclidean' }, { ...known, network: few });
    expect(said).toMatchObject({ change: { distance: 'change' } });
    expect(said?.text).toContain('euclidean');
  });
});
