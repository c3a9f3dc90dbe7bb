import { countText, iterationText } from './format.ts';
import type { View } from './view_state.ts';

/**
 * Which window and threshold are anomalies looked for with? What the user or a link set; else the first setting that is
 * suggested (analysis/suggestions.py), as far as it is known; else 10 dumps and 35 %.
 */
export interface Suggestion {
  /** In dumps. */
  readonly window: number;
  /** A share, 0..1, a whole percentage. */
  readonly threshold: number;
  readonly anomalies: number;
  /** How many of them chance would give. */
  readonly expected: number;
}

/** The best first; none where chance explains all, or the run is short; of the run up to an iteration. */
export interface Suggestions {
  readonly settings: readonly Suggestion[];
  readonly dumps: number;
  readonly iteration: number;
  readonly branch: number;
}

/** A view whose window and threshold are known. */
export type SetView = View & { readonly win: number; readonly th: number };

export const UNSUGGESTED = { win: 10, th: 35 } as const;

/** What takes back that the user set. */
export const SUGGESTED: Partial<View> = { win: null, th: null };

export function withSetting(view: View, suggested: readonly Suggestion[]): SetView {
  const { win, th } = suggested.length > 0 ? settingOf(suggested[0]) : UNSUGGESTED;
  return { ...view, win: view.win ?? win, th: view.th ?? th };
}

/** A suggestion as the link holds it. */
export function settingOf({ window, threshold }: Suggestion): { win: number; th: number } {
  return { win: window, th: Math.round(threshold * 100) };
}

/** Something of it is left to be suggested. */
export function isSuggested({ win, th }: View): boolean {
  return win === null || th === null;
}

export function settingText({ win, th }: { readonly win: number; readonly th: number }): string {
  return `window ${win}, score ≥ ${th} %`;
}

/** What a setting would show: "133 anomalies, none by chance". */
export function shownText({ anomalies, expected }: Suggestion): string {
  const chance = expected < 1 ? 'none' : `about ${iterationText(expected)}`;
  return `${countText(anomalies, 'anomaly', 'anomalies')}, ${chance} by chance`;
}
