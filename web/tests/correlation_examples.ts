import type { CorrelationTable } from '../src/kernel/correlation.ts';
import { withSetting } from '../src/kernel/suggested.ts';
import { DEFAULTS } from '../src/kernel/view_state.ts';
import type { Correlation } from '../src/source.ts';
import { settingsOf } from '../src/views/cube/question.ts';

/**
 * Three classes and four mini-sets of two layers.
 *
 * Class 2 jumps at dumps 5 and 9, class 4 at 9, class 7 at 5, 20 and 30. Layer 1 has mini-sets A (filters 0 and 3, at 5
 * and 9), B (filter 8, at 20); layer 6 has C (filters 2, 4 and 5, at 5, 9, 20 and 30) and D (filter 7, at 30).
 */
export const IDS = { a: 0x0a, b: 0x0b, c: 0xc0ffee, d: 0x0d };

export const EXAMPLE: CorrelationTable = {
  classes: Int32Array.of(2, 4, 7),
  classOffsets: Int32Array.of(0, 2, 3, 6),
  columnDump: Int32Array.of(5, 9, 9, 5, 20, 30),
  columnLeft: Float32Array.of(0.5, 0, 0.4, 0.375, 0.25, 0.75),
  columnRight: Float32Array.of(0, 0.5, 0.25, 0, 0.5, 0),
  layers: Int32Array.of(1, 6),
  layerOffsets: Int32Array.of(0, 3, 7),
  filters: Int32Array.of(0, 3, 8, 2, 4, 5, 7),
  filterSet: Int32Array.of(0, 0, 1, 2, 2, 2, 3),
  setLayer: Int32Array.of(0, 0, 1, 1),
  setSize: Int32Array.of(2, 1, 3, 1),
  setId: Float64Array.of(IDS.a, IDS.b, IDS.c, IDS.d),
  appearanceSet: Int32Array.of(0, 0, 1, 2, 2, 2, 2, 3),
  appearanceDump: Int32Array.of(5, 9, 20, 5, 9, 20, 30, 30),
  pairSet: Int32Array.of(0, 0, 0, 1, 2, 2, 2, 3),
  pairClass: Int32Array.of(0, 1, 2, 2, 0, 1, 2, 2),
  pairHits: Int32Array.of(2, 1, 1, 1, 2, 1, 3, 1),
  pairP: Float32Array.of(0.001, 0.5, 0.8, 0.75, 0.002, 0.5, 0.0005, 0.75),
  pairQ: Float32Array.of(0.02, 0.9, 0.9, 0.9, 0.03, 0.9, 0.01, 0.9),
  counts: Int32Array.of(2, 2, 3, 3, 3, 4),
  level: 0.05,
};

/** The answer that the example comes in, of a run of 40 dumps. */
export function answer(change: Partial<Correlation> = {}): Correlation {
  return {
    ...EXAMPLE,
    iteration: 7800,
    branch: 0,
    settings: settingsOf(withSetting(DEFAULTS, [])),
    extent: { iterations: 4, classes: 3, layers: 2, filters: 7, sets: 4, tests: 12 },
    highest: { score: 0.75, class: 7, dump: 30, rule: 'left' },
    dumps: 40,
    ...change,
  };
}

export const NAMES = ['ant', 'bee', 'cat', 'dog', 'elk', 'fox', 'gnu', 'hen'];
