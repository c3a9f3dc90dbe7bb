import type { View } from '../../kernel/view_state.ts';
import { missingRestrictions } from '../frame/restricted.ts';
import type { ValidationData } from './validation_data.svelte.ts';

/** What a link names and this run does not have: said once, and taken out of the view. Null where all is there. */
export function missingFromRun(
  view: View,
  data: ValidationData,
): { text: string; change: Partial<View> } | null {
  const count = data.names.length;
  const samples = data.run.info.value?.samples ?? 0;
  const restrictions = missingRestrictions(view, { classes: count, layers: null });
  const change: { -readonly [K in keyof View]?: View[K] } = { ...restrictions.change };
  const words = [...restrictions.words];
  const gone = view.classes.filter((cls) => cls >= count);
  if (gone.length > 0) {
    change.classes = view.classes.filter((cls) => cls < count);
    const verb = gone.length === 1 ? 'does' : 'do';
    words.push(
      `${gone.length} of ${view.classes.length} classes in this link ${verb} not exist in this run.`,
    );
  }
  if (view.anomaly && view.anomaly[0] >= count) {
    change.anomaly = null;
    words.push('The anomaly in this link does not exist in this run.');
  }
  if (view.sample !== null && samples > 0 && view.sample >= samples) {
    change.sample = null;
    words.push('The sample in this link does not exist in this run.');
  }
  const clusters = data.clusters.value?.k ?? view.k;
  if (view.clusters.some((cluster) => cluster >= clusters)) {
    change.clusters = view.clusters.filter((cluster) => cluster < clusters);
  }
  return words.length > 0 || change.clusters ? { text: words.join(' '), change } : null;
}
