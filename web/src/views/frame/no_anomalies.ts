import { percentUnder } from '../../kernel/anomalies.ts';
import { lowerWindow, type AnomalyCounts } from '../../kernel/anomaly_counts.ts';
import { percentText } from '../../kernel/format.ts';
import type { View } from '../../kernel/view_state.ts';
import type { Highest } from '../../source.ts';

/** What is said where there is nothing to see, and the change that would show something. */
export interface Suggestion {
  readonly text: string;
  /** On the button; null where nothing helps. */
  readonly label: string | null;
  readonly change: Partial<View>;
}

/** What is asked for. */
export interface Asked {
  readonly window: number;
  /** A share, 0..1. */
  readonly threshold: number;
  readonly highest: Highest | null;
}

/** No class has an anomaly iteration: how far off is the threshold? Null while it is not known. */
export function whyNoAnomalies(
  { window, threshold, highest }: Asked,
  dumps: number,
  counts: AnomalyCounts | null,
  nameOf: (cls: number) => string,
): Suggestion | null {
  if (highest && highest.score > 0) {
    const use = percentUnder(highest.score);
    return {
      text:
        `No class reaches score ${percentText(threshold)} with window ${window}. ` +
        `Highest is ${percentText(highest.score)} (${nameOf(highest.class)}).`,
      label: use > 0 ? `Use ${use} %` : null,
      change: { th: use },
    };
  }
  if (!counts) return null;
  const win = lowerWindow(counts, window);
  if (win === null) {
    const text = 'No anomalies: no sample keeps its result long enough before or after a change.';
    return { text, label: null, change: {} };
  }
  return {
    text: `No sample keeps its result for ${window} of the ${dumps} dumps before or after a change.`,
    label: `Use window ${win}`,
    change: { win },
  };
}
