import { describe, expect, it } from 'vitest';
import { SUGGESTED } from '../../src/kernel/suggested.ts';
import { whyNoAnomalies } from '../../src/views/frame/no_anomalies.ts';

const asked = {
  window: 10,
  threshold: 0.35,
  highest: { score: 0.24, class: 1, dump: 4, rule: 'left' },
};
const silent = { ...asked, highest: null };
const counts = {
  windows: Int32Array.of(2, 10),
  counts: Int32Array.from({ length: 202 }, (_, i) => +(i < 101)),
};
const settings = [{ window: 7, threshold: 0.2, anomalies: 9, expected: 0.1 }];
const told = (about: typeof asked | typeof silent, some: typeof settings | null, isSet: boolean) =>
  whyNoAnomalies(about, 40, counts, () => 'gong', { settings: some, isSet });

describe('whyNoAnomalies', () => {
  it('says that chance explains all where nothing is suggested and nothing was set', () => {
    expect(told(asked, [], false)).toEqual({
      text: 'Chance explains every anomaly at any window and threshold. With window 10 the highest score is 24 % (gong).',
      label: 'Use 24 %',
      change: { win: 10, th: 24 },
    });
  });

  it('goes back to what is suggested where something else was set', () => {
    const back = { label: 'Use suggested: window 7, score ≥ 20 %', change: SUGGESTED };
    expect(told(asked, settings, true)).toMatchObject(back);
    expect(told(silent, settings, true)).toMatchObject(back);
  });

  it('says how far off the setting is where that is all that is known', () => {
    expect(told(asked, null, false)?.text).toMatch(/^No class reaches score 35 % with window 10/);
    expect(told(silent, [], true)).toMatchObject({ label: 'Use window 2', change: { win: 2, th: 35 } });
  });
});
