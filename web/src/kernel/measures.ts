/** What the measures are called on the screen, and which belong together (their definitions: docs/format.md). */
export interface MeasureText {
  readonly label: string;
  /** What stands in a title: "mean of the weights". */
  readonly title: string;
}

const TEXTS: Readonly<Record<string, MeasureText>> = {
  mean: { label: 'mean', title: 'Weight mean' },
  sd: { label: 'sd', title: 'Weight standard deviation' },
  sum: { label: 'sum', title: 'Weight sum' },
  min: { label: 'min', title: 'Smallest weight' },
  weight_q1: { label: 'first quartile', title: 'First quartile of the weights' },
  weight_median: { label: 'median', title: 'Median of the weights' },
  weight_q3: { label: 'third quartile', title: 'Third quartile of the weights' },
  max: { label: 'max', title: 'Largest weight' },
  l1: { label: 'l1 norm', title: 'l1 norm of the weights' },
  l2: { label: 'l2 norm', title: 'l2 norm of the weights' },
  grad_mean: { label: 'gradient mean', title: 'Gradient mean' },
  grad_sd: { label: 'gradient sd', title: 'Gradient standard deviation' },
  grad_min: { label: 'gradient min', title: 'Smallest gradient' },
  grad_q1: { label: 'gradient first quartile', title: 'First quartile of the gradients' },
  grad_median: { label: 'gradient median', title: 'Median of the gradients' },
  grad_q3: { label: 'gradient third quartile', title: 'Third quartile of the gradients' },
  grad_max: { label: 'gradient max', title: 'Largest gradient' },
  grad_l2: { label: 'gradient l2 norm', title: 'l2 norm of the gradients' },
  change: { label: 'change (relative, l2)', title: 'Change since the dump before' },
  change_l1: { label: 'change (relative, l1)', title: 'Change since the dump before, in l1' },
  euclidean: { label: 'distance (Euclidean)', title: 'Euclidean distance to the dump before' },
  cosine: { label: 'cosine similarity', title: 'Cosine similarity to the dump before' },
  cosine_distance: { label: 'cosine distance', title: 'Cosine distance to the dump before' },
  update_ratio: { label: 'update ratio', title: 'Update ratio of one step' },
  nonfinite: { label: 'NaN and infinite', title: 'Weights and gradients that are NaN or infinite' },
};

export function measureText(measure: string): MeasureText {
  return TEXTS[measure] ?? { label: measure, title: measure };
}

const GROUPS: readonly (readonly [string, readonly string[]])[] = [
  ['Weights', ['mean', 'sd', 'sum', 'l1', 'l2', 'min', 'weight_q1', 'weight_median', 'weight_q3', 'max']],
  [
    'Gradients',
    ['grad_mean', 'grad_sd', 'grad_l2', 'grad_min', 'grad_q1', 'grad_median', 'grad_q3', 'grad_max'],
  ],
  ['Change', ['change', 'change_l1', 'euclidean', 'cosine_distance', 'cosine', 'update_ratio']],
];

/** The measures that a run has, in groups; those that have none of ours come last. */
export function groupedMeasures(
  known: readonly string[],
): readonly { readonly name: string; readonly measures: readonly string[] }[] {
  const placed = new Set(GROUPS.flatMap(([, measures]) => measures));
  const rest = known.filter((measure) => !placed.has(measure));
  return [...GROUPS, ['Other', rest] as const]
    .map(([name, measures]) => ({ name, measures: measures.filter((m) => known.includes(m)) }))
    .filter(({ measures }) => measures.length > 0);
}

/** What is kept of every filter at each single iteration before a dump that showed trouble. */
export const FLIGHT_MEASURES = ['l2', 'grad_l2', 'update_ratio', 'nonfinite'] as const;

/** Filters are ranked and counted by how far they moved. */
export const FILTER_DISTANCES = ['change', 'change_l1', 'euclidean', 'cosine_distance'] as const;

/** A step changes weights by about a thousandth where learning goes well. */
export const UPDATE_RATIO_GUIDE = 1e-3;

export function guideOf(measure: string): { value: number; label: string } | null {
  return measure === 'update_ratio' ? { value: UPDATE_RATIO_GUIDE, label: '1e-3' } : null;
}
