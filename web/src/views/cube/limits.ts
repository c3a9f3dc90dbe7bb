import { stricterThreshold, type AnomalyCounts } from '../../kernel/anomaly_counts.ts';
import type { SetView } from '../../kernel/suggested.ts';
import type { Correlation } from '../../source.ts';
import type { Remedy, Suggested } from '../frame/no_anomalies.ts';
import { TOP } from './question.ts';

/** An answer, and what is known besides: what should be said of it? */
export interface Told {
  readonly view: SetView;
  readonly found: Correlation;
  readonly counts: AnomalyCounts | null;
  /** Classes of the run. */
  readonly classes: number;
  nameOf(cls: number): string;
  readonly suggested: Suggested;
}

/** Of more anomaly iterations than these a threshold that shows fewer is worth a word. */
const MANY_COLUMNS = 500;
const FEW_COLUMNS = 300;
/** Fewer anomaly filters an iteration have fewer mini-sets. */
const FEWER_FILTERS = [20, 5];

/** There is nothing to draw, or too little to compare: emptiness.ts has the words. */
export function isMeagre({ classes, setId, extent }: Correlation): boolean {
  return classes.length === 0 || setId.length === 0 || extent.classes === 1;
}

/** Not all of it fits the screen, as `texts` say: what would show less. */
export function tooMuch(told: Told, texts: readonly string[], rowsAreLayers: boolean): Remedy | null {
  if (texts.length === 0) return null;
  const text = texts.join(' ');
  const { view, found, counts } = told;
  const stricter =
    counts && found.columnDump.length > MANY_COLUMNS
      ? stricterThreshold(counts, view.win, view.th, FEW_COLUMNS)
      : null;
  if (stricter) {
    const label = `Score ≥ ${stricter.percent} % shows ${stricter.count} anomalies`;
    return { text, label, change: { win: view.win, th: stricter.percent } };
  }
  const fewer = view.above === null ? FEWER_FILTERS.find((top) => top < (view.top || TOP)) : undefined;
  if (rowsAreLayers && fewer) return { text, label: `Top ${fewer} filters only`, change: { top: fewer } };
  return { text, label: null, change: {} };
}
