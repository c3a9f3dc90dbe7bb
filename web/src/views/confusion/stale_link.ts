import type { View } from '../../kernel/view_state.ts';
import { missingRestrictions } from '../frame/restricted.ts';
import type { ConfusionData } from './confusion_data.svelte.ts';

/** What a link names and this run does not have: said once, and taken out of the view. Null where all is there. */
export function missingFromRun(
  view: View,
  data: ConfusionData,
): { text: string; change: Partial<View> } | null {
  const classes = data.names.length;
  const samples = data.run.info.value?.samples ?? 0;
  const restrictions = missingRestrictions(view, { classes, layers: null });
  const change: { -readonly [K in keyof View]?: View[K] } = { ...restrictions.change };
  const words = [...restrictions.words];
  if (view.cell && view.cell[0] >= classes) {
    change.cell = null;
    words.push('The class of the cell in this link does not exist in this run.');
  }
  if (view.sample !== null && samples > 0 && view.sample >= samples) {
    change.sample = null;
    words.push('The sample in this link does not exist in this run.');
  }
  return words.length > 0 ? { text: words.join(' '), change } : null;
}
