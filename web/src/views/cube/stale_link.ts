import type { CorrelationIndex } from '../../kernel/correlation.ts';
import type { Network } from '../../kernel/network.ts';
import { DEFAULTS, type View } from '../../kernel/view_state.ts';
import type { Correlation } from '../../source.ts';
import { missingRestrictions } from '../frame/restricted.ts';

/**
 * What a link names and this run does not have: said once, and taken out of the view. Null where all is there.
 *
 * A mini-set depends on window, threshold, rule and anomaly filters, so other settings may leave it without a successor;
 * where a restriction may merely hide it, it stays.
 */
export interface Known {
  readonly classes: number;
  readonly network: Network;
  /** Of the settings of this very view; null until it is here. */
  readonly found: Correlation | null;
  readonly index: CorrelationIndex | null;
}

export function missingFromCube(
  view: View,
  { classes, network, found, index }: Known,
): { text: string; change: Partial<View> } | null {
  const { words, change: restrictions } = missingRestrictions(view, {
    classes,
    layers: network.layers.length,
  });
  const change: { -readonly [K in keyof View]?: View[K] } = { ...restrictions };
  const gone = view.pinnedClasses.filter((cls) => cls >= classes).length;
  if (gone > 0) {
    change.pinnedClasses = view.pinnedClasses.filter((cls) => cls < classes);
    words.push(missingText(gone, view.pinnedClasses.length, 'classes'));
  }
  if (!network.filterMeasures.includes(view.distance) && view.distance !== DEFAULTS.distance) {
    words.push(`This run has no measure “${view.distance}”.`);
    change.distance = DEFAULTS.distance;
  }
  if (found && index && !isRestricted(view)) {
    const known = view.minis.filter((id) => index.setOf(id) !== null);
    if (known.length < view.minis.length) {
      change.minis = known;
      words.push(missingText(view.minis.length - known.length, view.minis.length, 'mini-sets'));
    }
  }
  return words.length > 0 ? { text: words.join(' '), change } : null;
}

function missingText(gone: number, all: number, plural: string): string {
  return `${gone} of ${all} ${plural} in this link ${gone === 1 ? 'does' : 'do'} not exist in this run.`;
}

/** Something may hide a mini-set that exists. */
export function isRestricted({ zoom, onlyClasses, onlyLayers, appears, significant }: View): boolean {
  return zoom !== null || onlyClasses.length + onlyLayers.length > 0 || appears > 1 || significant;
}
