import { DEFAULTS, type View } from '../../kernel/view_state.ts';
import type { Network } from '../../kernel/network.ts';
import { missingRestrictions } from '../frame/restricted.ts';

/** What a link names and this network does not have: said once, and taken out of the view. Null where all is there. */
export function missingFromNetwork(
  view: View,
  network: Network,
): { text: string; change: Partial<View> } | null {
  const { layers, nodes } = network;
  const restrictions = missingRestrictions(view, { classes: null, layers: layers.length });
  const change: { -readonly [K in keyof View]?: View[K] } = { ...restrictions.change };
  const words = [...restrictions.words];
  const gone = view.layers.filter((layer) => layer >= layers.length);
  if (gone.length > 0) {
    change.layers = view.layers.filter((layer) => layer < layers.length);
    words.push(`${gone.length} of ${view.layers.length} layers in this link do not exist in this run.`);
  }
  if (view.nodes?.some((node) => node === 0 || node >= nodes.length)) {
    const known = view.nodes.filter((node) => node > 0 && node < nodes.length);
    change.nodes = known.length > 0 ? known : null;
    words.push('Some charts in this link do not exist in this run.');
  }
  if (view.filter) {
    const [layer, filter] = view.filter;
    if (layer >= layers.length || filter >= layers[layer].filters) {
      change.filter = null;
      words.push('The filter in this link does not exist in this run.');
    }
  }
  for (const [key, known] of [
    ['stat', network.nodeMeasures],
    ['filterStat', network.filterMeasures],
    ['distance', network.filterMeasures],
  ] as const) {
    if (known.includes(view[key]) || view[key] === DEFAULTS[key]) continue;
    words.push(`This run has no measure “${view[key]}”.`);
    change[key] = DEFAULTS[key];
  }
  return words.length > 0 ? { text: words.join(' '), change } : null;
}
