import { stricterThreshold } from '../../kernel/anomaly_counts.ts';
import type { Remedy } from '../frame/no_anomalies.ts';
import { TOP } from './question.ts';
import type { Told } from './told.ts';

/** Of more anomaly iterations than these a threshold that shows fewer is worth a word. */
const MANY_COLUMNS = 500;
const FEW_COLUMNS = 300;
/** Fewer anomaly filters an iteration have fewer mini-sets. */
const FEWER_FILTERS = [20, 5];

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
