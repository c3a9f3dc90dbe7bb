import { measureText } from '../../kernel/measures.ts';
import { countText, iterationText, valueText } from '../../kernel/format.ts';
import { DEFAULTS, type View } from '../../kernel/view_state.ts';

/**
 * What of the run is left out, in whatever view it was said? Each restriction holds in all views, is shown in all of
 * them, and can be taken back in all of them.
 */
export interface Restriction {
  readonly id: string;
  readonly label: string;
  /** All of it, where the label is shortened. */
  readonly title: string;
  /** What takes it back. */
  readonly change: Partial<View>;
}

export interface Names {
  readonly classes: readonly string[];
  /** Empty where the view does not know the network. */
  readonly layers: readonly string[];
}

const MOST_NAMED = 2;

export function restrictionsOf(view: View, names: Names): Restriction[] {
  const out: Restriction[] = [];
  const add = (id: string, label: string, change: Partial<View>, title = label) =>
    out.push({ id, label, title, change });
  const { zoom, onlyClasses, onlyLayers, rule } = view;
  if (zoom) {
    const [from, to] = zoom.map(iterationText);
    add('iterations', `Iterations ${from} – ${to}`, { zoom: null });
  }
  if (onlyClasses.length > 0) {
    const { label, all } = listed(onlyClasses, names.classes, 'class', 'classes');
    add('classes', label, { onlyClasses: [] }, all);
  }
  if (onlyLayers.length > 0) {
    const { label, all } = listed(onlyLayers, names.layers, 'layer', 'layers');
    add('layers', label, { onlyLayers: [] }, all);
  }
  if (view.win !== DEFAULTS.win) add('window', `Window ${view.win}`, { win: DEFAULTS.win });
  if (view.th !== DEFAULTS.th) add('score', `Score ≥ ${view.th} %`, { th: DEFAULTS.th });
  if (rule !== DEFAULTS.rule) add('rule', `Only the ${rule} rule`, { rule: DEFAULTS.rule });
  if (view.above !== null) {
    const { label } = measureText(view.distance);
    add(
      'above',
      `Filters that moved > ${valueText(view.above)}`,
      { above: null },
      `${label} > ${view.above}`,
    );
  } else if (view.top !== DEFAULTS.top)
    add('top', `Top ${countText(view.top, 'filter')}`, { top: DEFAULTS.top });
  if (view.appears > 1) {
    add('appears', `Mini-sets that appear ≥ ${view.appears} times`, { appears: DEFAULTS.appears });
  }
  if (view.significant) add('significant', 'Beyond chance', { significant: false });
  return out;
}

/** One or two by name, more by number. */
function listed(
  chosen: readonly number[],
  names: readonly string[],
  noun: string,
  plural: string,
): { label: string; all: string } {
  const nameOf = (index: number) => names[index] ?? `${noun} ${index}`;
  const all = chosen.map(nameOf).join(', ');
  const named = names.length > 0 && chosen.length <= MOST_NAMED;
  return { label: named ? `Only ${all}` : `Only ${countText(chosen.length, noun, plural)}`, all };
}

/** Restrictions to classes and layers that the run does not have; what is not known (null) is not judged. */
export function missingRestrictions(
  view: View,
  counts: { readonly classes: number | null; readonly layers: number | null },
): { words: string[]; change: Partial<View> } {
  const words: string[] = [];
  const judge = (key: 'onlyClasses' | 'onlyLayers', count: number | null, noun: string): Partial<View> => {
    const gone = count === null ? 0 : view[key].filter((index) => index >= count).length;
    if (count === null || gone === 0) return {};
    const verb = gone === 1 ? 'does' : 'do';
    words.push(
      `${gone} of ${view[key].length} ${noun} that this link is restricted to ${verb} not exist in this run.`,
    );
    return { [key]: view[key].filter((index) => index < count) };
  };
  const change = {
    ...judge('onlyClasses', counts.classes, 'classes'),
    ...judge('onlyLayers', counts.layers, 'layers'),
  };
  return { words, change };
}
