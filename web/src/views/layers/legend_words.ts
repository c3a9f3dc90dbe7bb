import { measureText } from '../../kernel/measures.ts';
import type { View } from '../../kernel/view_state.ts';
import type { Scene } from './scene.ts';

/** What the colours and shapes mean, in the words of both legends. */
export const NORMALISED: Readonly<Record<View['norm'], string>> = {
  filter: 'each filter by its own largest',
  iteration: 'each iteration by its largest',
  global: 'all by the largest of the layer',
};

export function filterWords(view: View): string {
  return `${measureText(view.filterStat).title}, ${NORMALISED[view.norm]} (√ scale)`;
}

export function boxWords(scene: Pick<Scene, 'boxesOf'>): string {
  const of = scene.boxesOf === 'filters' ? 'over the filters' : `of all ${scene.boxesOf}`;
  return `smallest and largest, quartiles and median ${of}; quartiles are means over the dumps of a box; whiskers are cut at the edge of the chart`;
}
