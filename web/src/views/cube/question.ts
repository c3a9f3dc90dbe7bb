import type { SetView } from '../../kernel/suggested.ts';
import type { Look } from '../../detailed.svelte.ts';
import type { Correlation, CorrelationRows, CorrelationRowsBy, CorrelationSettings } from '../../source.ts';

/** What the link asks of filters and classes together. Without a restriction of its own `top` is TOP here. */
export const TOP = 100;

export function settingsOf(view: SetView): CorrelationSettings {
  const some = (list: readonly number[]) => (list.length > 0 ? list : null);
  return {
    window: view.win,
    threshold: view.th / 100,
    rule: view.rule,
    top: view.top || TOP,
    above: view.above,
    measure: view.distance,
    minAppearances: view.appears,
    significant: view.significant,
    iterations: view.zoom,
    classes: some(view.onlyClasses),
    layers: some(view.onlyLayers),
  };
}

export function questionOf(settings: CorrelationSettings): string {
  return JSON.stringify(settings);
}

/** How many rows there are of each kind. */
export function rowsOf(found: Correlation, by: CorrelationRowsBy): number {
  return { filter: found.filters, set: found.setLayer, layer: found.layers }[by].length;
}

/** The rows are those of this answer, of the same dumps. */
export function belongTogether(found: Correlation, rows: CorrelationRows): boolean {
  return (
    questionOf(found.settings) === questionOf(rows.settings) &&
    found.dumps === rows.dumps &&
    found.iteration === rows.iteration &&
    found.branch === rows.branch &&
    rowsOf(found, rows.by) === rows.rows
  );
}

/** What the screen has room for, and the rows of the front face that fit it. */
export interface CubeLook extends Look {
  readonly by: (found: Correlation) => CorrelationRowsBy;
}
