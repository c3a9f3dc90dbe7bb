import type { AnomalyCounts } from '../../kernel/anomaly_counts.ts';
import type { SetView } from '../../kernel/suggested.ts';
import type { Correlation } from '../../source.ts';
import type { Suggested } from '../frame/no_anomalies.ts';

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

/** There is nothing to draw, or too little to compare: emptiness.ts has the words. */
export function isMeagre({ classes, setId, extent }: Correlation): boolean {
  return classes.length === 0 || setId.length === 0 || extent.classes === 1;
}
