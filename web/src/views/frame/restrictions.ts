import { measureText } from '../../kernel/measures.ts';
import { countText, iterationText, valueText } from '../../kernel/format.ts';
import { SUGGESTED } from '../../kernel/suggested.ts';
import { DEFAULTS, VIEWS, type View, type ViewName } from '../../kernel/view_state.ts';

/**
 * What of the run is left out, in whatever view it was said? Each restriction holds in all views that have what it leaves
 * out, is shown in all views (where there is nothing of it, as such), and can be taken back in all of them.
 */
export interface Restriction {
  readonly id: string;
  readonly label: string;
  /** All of it, where the label is shortened. */
  readonly title: string;
  /** What takes it back. */
  readonly change: Partial<View>;
  /** This view has something of what it restricts. */
  readonly isHere: boolean;
}

export interface Names {
  readonly classes: readonly string[];
  /** Empty where the view does not know the network. */
  readonly layers: readonly string[];
}

const MOST_NAMED = 2;
const CUBE: readonly ViewName[] = ['correlation', 'cube'];
/** The views that have what a restriction leaves out; iterations they all have. */
const OF_CLASSES: readonly ViewName[] = ['validation', ...CUBE, 'confusion'];
/** The views that have anomalies. */
const OF_ANOMALIES: readonly ViewName[] = ['validation', ...CUBE];
const OF_LAYERS: readonly ViewName[] = ['layers', ...CUBE];

export function restrictionsOf(view: View, names: Names): Restriction[] {
  const out: Restriction[] = [];
  const add = (id: string, label: string, change: Partial<View>, of: readonly ViewName[], title = label) =>
    out.push({ id, label, title, change, isHere: of.includes(view.view) });
  const { zoom, onlyClasses, onlyLayers, rule } = view;
  if (zoom) {
    const [from, to] = zoom.map(iterationText);
    add('iterations', `Iterations ${from} – ${to}`, { zoom: null }, VIEWS);
  }
  if (onlyClasses.length > 0) {
    const { label, all } = listed(onlyClasses, names.classes, 'class', 'classes');
    add('classes', label, { onlyClasses: [] }, OF_CLASSES, all);
  }
  if (onlyLayers.length > 0) {
    const { label, all } = listed(onlyLayers, names.layers, 'layer', 'layers');
    add('layers', label, { onlyLayers: [] }, OF_LAYERS, all);
  }
  if (view.win !== null || view.th !== null) {
    const parts = [
      view.win === null ? [] : [`window ${view.win}`],
      view.th === null ? [] : [`score ≥ ${view.th} %`],
    ];
    add('setting', `Anomalies: ${parts.flat().join(', ')}`, SUGGESTED, OF_ANOMALIES);
  }
  if (rule !== DEFAULTS.rule) add('rule', `Only the ${rule} rule`, { rule: DEFAULTS.rule }, OF_ANOMALIES);
  if (view.above !== null) {
    const { label } = measureText(view.distance);
    add(
      'above',
      `Filters that moved > ${valueText(view.above)}`,
      { above: null },
      CUBE,
      `${label} > ${view.above}`,
    );
  }
  // A limit takes the place of the number only where there is one.
  if (view.top !== DEFAULTS.top && (view.above === null || view.view === 'layers')) {
    add('top', `Top ${countText(view.top, 'filter')}`, { top: DEFAULTS.top }, OF_LAYERS);
  }
  if (view.appears > 1) {
    add('appears', `Mini-sets that appear ≥ ${view.appears} times`, { appears: DEFAULTS.appears }, CUBE);
  }
  if (view.significant) add('significant', 'Beyond chance', { significant: false }, CUBE);
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
