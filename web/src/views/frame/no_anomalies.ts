import { percentUnder } from '../../kernel/anomalies.ts';
import { lowerWindow, type AnomalyCounts } from '../../kernel/anomaly_counts.ts';
import { percentText } from '../../kernel/format.ts';
import { settingOf, settingText, SUGGESTED, type Suggestion } from '../../kernel/suggested.ts';
import type { View } from '../../kernel/view_state.ts';
import type { Highest } from '../../source.ts';

/** What is said where there is nothing to see, and the change that would show something. */
export interface Remedy {
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

/** What is suggested, and whether something else was set; null while it is not known. */
export interface Suggested {
  readonly settings: readonly Suggestion[] | null;
  readonly isSet: boolean;
}

/** No class has an anomaly iteration: how far off is the threshold? Null while it is not known. */
export function whyNoAnomalies(
  { window, threshold, highest }: Asked,
  dumps: number,
  counts: AnomalyCounts | null,
  nameOf: (cls: number) => string,
  { settings, isSet }: Suggested = { settings: null, isSet: true },
): Remedy | null {
  const th = Math.round(threshold * 100);
  if (highest && highest.score > 0) {
    const use = percentUnder(highest.score);
    const why =
      !isSet && settings?.length === 0
        ? `Chance explains every anomaly at any window and threshold. With window ${window} the highest score is`
        : `No class reaches score ${percentText(threshold)} with window ${window}. Highest is`;
    return {
      text: `${why} ${percentText(highest.score)} (${nameOf(highest.class)}).`,
      ...(useSuggested(isSet, settings) ?? {
        label: use > 0 ? `Use ${use} %` : null,
        change: { win: window, th: use },
      }),
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
    ...(useSuggested(isSet, settings) ?? { label: `Use window ${win}`, change: { win, th } }),
  };
}

function useSuggested(
  isSet: boolean,
  settings: readonly Suggestion[] | null,
): Pick<Remedy, 'label' | 'change'> | null {
  if (!isSet || !settings?.length) return null;
  return { label: `Use suggested: ${settingText(settingOf(settings[0]))}`, change: SUGGESTED };
}
