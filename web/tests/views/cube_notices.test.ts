import { describe, expect, it } from 'vitest';
import { withSetting } from '../../src/kernel/suggested.ts';
import { DEFAULTS, type View } from '../../src/kernel/view_state.ts';
import type { Correlation } from '../../src/source.ts';
import { advice, emptiness } from '../../src/views/cube/emptiness.ts';
import { tooMuch } from '../../src/views/cube/limits.ts';
import { isMeagre, type Told } from '../../src/views/cube/told.ts';
import { settingsOf } from '../../src/views/cube/question.ts';
import { answer, NAMES } from '../correlation_examples.ts';

const NO_COLUMNS: Partial<Correlation> = {
  classes: new Int32Array(0),
  classOffsets: Int32Array.of(0),
  columnDump: new Int32Array(0),
};
const NO_ROWS: Partial<Correlation> = { setId: new Float64Array(0), filters: new Int32Array(0) };
const EXTENT = answer().extent;

/** Per cent 0..100: 100 anomalies fewer for each. */
const counts = {
  windows: Int32Array.of(10),
  counts: Int32Array.from({ length: 101 }, (_, percent) => 40 * (100 - percent)),
};

function told(view: Partial<View>, found: Partial<Correlation>, classes = NAMES.length): Told {
  const whole = withSetting({ ...DEFAULTS, ...view }, []);
  return {
    view: whole,
    found: answer({ settings: settingsOf(whole), ...found }),
    counts,
    classes,
    nameOf: (cls: number) => NAMES[cls],
    suggested: { settings: null, isSet: true },
  };
}

describe('isMeagre', () => {
  it('is so where words are needed in place of a picture, or beside it', () => {
    expect(isMeagre(answer())).toBe(false);
    expect([NO_COLUMNS, NO_ROWS].map((some) => isMeagre(answer(some)))).toEqual([true, true]);
    expect(isMeagre(answer({ extent: { ...EXTENT, classes: 1 } }))).toBe(true);
  });
});

describe('emptiness', () => {
  it('is none where something is drawn', () => {
    expect(emptiness(told({}, {}))).toBeNull();
  });

  it('names the highest score and offers it', () => {
    const none = { ...NO_COLUMNS, extent: { ...EXTENT, classes: 0 } };
    const highest = { score: 0.312, class: 4, dump: 9, rule: 'left' };
    const said = emptiness(told({ th: 40 }, { ...none, highest }));
    expect(said?.text).toBe('No class reaches score 40 % with window 10. Highest is 31 % (elk).');
    expect(said).toMatchObject({ label: 'Use 31 %', change: { win: 10, th: 31 } });
  });

  it('offers either rule where only the other one fires', () => {
    const said = emptiness(told({ rule: 'right' }, { ...NO_COLUMNS, extent: { ...EXTENT, classes: 0 } }));
    expect(said).toMatchObject({ label: 'Use either rule', change: { rule: 'either' } });
  });

  it('says what one dump lacks, and what to record', () => {
    const said = emptiness(told({}, { ...NO_COLUMNS, dumps: 1, highest: null }));
    expect(said?.text).toMatch(/one dump.*Record more often/);
    expect(said?.label).toBeNull();
  });

  it('says what a single class lacks', () => {
    const none = { ...NO_COLUMNS, extent: { ...EXTENT, classes: 0 }, highest: null };
    expect(emptiness(told({}, none, 1))?.text).toMatch(/^This run has one class/);
  });

  it('takes back restrictions that leave nothing', () => {
    const said = emptiness(told({ onlyClasses: [3] }, NO_COLUMNS));
    expect(said?.text).toContain('none of the 3 classes');
    expect(said?.change).toEqual({ zoom: null, onlyClasses: [], onlyLayers: [] });
  });

  it('takes back what hides all mini-sets, the test of chance first', () => {
    expect(emptiness(told({ significant: true, appears: 9 }, NO_ROWS))?.change).toEqual({
      significant: false,
    });
    expect(emptiness(told({ appears: 9 }, NO_ROWS))?.change).toEqual({ appears: 1 });
    expect(emptiness(told({ onlyLayers: [3] }, NO_ROWS))?.change).toMatchObject({ onlyLayers: [] });
  });

  it('tells a limit that no filter reaches from filters that never move', () => {
    const none = { ...NO_ROWS, extent: { ...EXTENT, filters: 0 } };
    expect(emptiness(told({ above: 9 }, none))).toMatchObject({ change: { above: null } });
    expect(emptiness(told({}, none))?.text).toContain('No filter moved');
  });
});

describe('advice', () => {
  it('is none where there is something to compare', () => {
    expect(advice(told({}, {}))).toBeNull();
  });

  it('offers a lower score where a single class has anomaly iterations', () => {
    const one = { extent: { ...EXTENT, classes: 1 } };
    expect(advice(told({}, one))).toMatchObject({
      label: 'Score ≥ 30 % shows 2800 anomalies',
      change: { th: 30 },
    });
  });
});

describe('tooMuch', () => {
  it('says nothing where everything fits', () => {
    expect(tooMuch(told({}, { columnDump: new Int32Array(2000) }), [], false)).toBeNull();
  });

  it('offers a higher score where iterations are too many to tell apart', () => {
    const many = tooMuch(told({}, { columnDump: new Int32Array(2000) }), ['One thing.', 'Another.'], true);
    expect(many).toEqual({
      text: 'One thing. Another.',
      label: 'Score ≥ 95 % shows 200 anomalies',
      change: { win: 10, th: 95 },
    });
    expect(tooMuch(told({}, {}), ['One thing.'], false)?.label).toBeNull();
  });

  it('offers fewer filters where rows are layers, and nothing where there are few or a limit chooses them', () => {
    const offered = (view: Partial<View>) => tooMuch(told(view, {}), ['One thing.'], true)?.change;
    expect(offered({})).toEqual({ top: 20 });
    expect(offered({ top: 20 })).toEqual({ top: 5 });
    expect(offered({ top: 5 })).toEqual({});
    expect(offered({ above: 0.3 })).toEqual({});
  });
});
