import { describe, expect, it } from 'vitest';
import { isSuggested, settingText, shownText, SUGGESTED, withSetting } from '../../src/kernel/suggested.ts';
import { DEFAULTS } from '../../src/kernel/view_state.ts';

const best = { window: 7, threshold: 0.29, anomalies: 1233, expected: 52.4 };
const next = { window: 3, threshold: 0.41, anomalies: 1, expected: 0.05 };

describe('withSetting', () => {
  it('takes the first suggestion where nothing is set, and the usual where nothing is suggested', () => {
    expect(withSetting(DEFAULTS, [best, next])).toEqual({ ...DEFAULTS, win: 7, th: 29 });
    expect(withSetting(DEFAULTS, [])).toEqual({ ...DEFAULTS, win: 10, th: 35 });
  });

  it('leaves alone what is set, 0 as well', () => {
    expect(withSetting({ ...DEFAULTS, win: 12, th: 0 }, [best])).toMatchObject({ win: 12, th: 0 });
    expect(withSetting({ ...DEFAULTS, th: 40 }, [best])).toMatchObject({ win: 7, th: 40 });
  });

  it('is suggested again once what was set is taken back', () => {
    const set = { ...DEFAULTS, win: 12, th: 40 };
    expect([set, { ...set, ...SUGGESTED }, { ...set, win: null }].map(isSuggested)).toEqual([
      false,
      true,
      true,
    ]);
  });
});

describe('words', () => {
  it('say what a setting shows, and what chance would', () => {
    expect(settingText({ win: 7, th: 29 })).toBe('window 7, score ≥ 29 %');
    expect(shownText(best)).toBe('1,233 anomalies, about 52 by chance');
    expect(shownText(next)).toBe('1 anomaly, none by chance');
  });
});
