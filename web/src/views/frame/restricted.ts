import { DEFAULTS, type View } from '../../kernel/view_state.ts';

/** Is anything left out of the views, and is it in this run? restrictions.ts has the words. */
const RESTRICTIONS: readonly (keyof View)[] = [
  'zoom',
  'onlyClasses',
  'onlyLayers',
  'win',
  'th',
  'rule',
  'above',
  'top',
  'appears',
  'significant',
];

export function isRestricted(view: View): boolean {
  return RESTRICTIONS.some((key) => String(view[key]) !== String(DEFAULTS[key]));
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
