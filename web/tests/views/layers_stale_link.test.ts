import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { networkOf, type NetworkAnswer } from '../../src/kernel/network.ts';
import { DEFAULTS } from '../../src/kernel/view_state.ts';
import { missingFromNetwork } from '../../src/views/layers/stale_link.ts';

const network = networkOf(
  JSON.parse(readFileSync(new URL('../networks/vgg.json', import.meta.url), 'utf8')) as NetworkAnswer,
);
const layers = network.layers.length;

describe('missingFromNetwork', () => {
  it('finds nothing wrong with a view that fits', () => {
    expect(missingFromNetwork(DEFAULTS, network)).toBeNull();
    const view = { ...DEFAULTS, layers: [0, layers - 1], nodes: [1], filter: [0, 0] as const };
    expect(missingFromNetwork(view, network)).toBeNull();
  });

  it('takes out layers, charts, filters and measures that are not there, and says so', () => {
    const view = {
      ...DEFAULTS,
      layers: [0, layers],
      nodes: [1, 9999],
      filter: [0, 1e6] as const,
      stat: 'unheard_of',
    };
    const missing = missingFromNetwork(view, network);
    expect(missing?.change).toEqual({ layers: [0], nodes: [1], filter: null, stat: 'mean' });
    expect(missing?.text).toContain('1 of 2 layers');
    expect(missing?.text).toContain('unheard_of');
  });

  it('goes back to the first charts where none of those named is there', () => {
    expect(missingFromNetwork({ ...DEFAULTS, nodes: [9999] }, network)?.change).toEqual({ nodes: null });
  });
});
