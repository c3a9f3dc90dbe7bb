import { describe, expect, it } from 'vitest';
import { byClass, mergeGlyphs, percentUnder, restricted, type Anomaly } from '../../src/kernel/anomalies.ts';

const anomaly = (dump: number, left: number, right: number): Anomaly => ({
  cls: 0,
  dump,
  left,
  right,
  pending: 0,
});

describe('restricted', () => {
  const all = new Map([
    [2, [anomaly(10, 0.5, 0.1), anomaly(12, 0.2, 0.9)]],
    [5, [anomaly(7, 0.1, 0.35)]],
  ]);
  const dumps = (rule: 'either' | 'left' | 'right', classes: number[] = []) =>
    [...restricted(all, { rule, classes: new Set(classes) }, 0.35)].map(([cls, list]) => [
      cls,
      list.map(({ dump }) => dump),
    ]);

  it('leaves all of them where there is no restriction', () => {
    expect(dumps('either')).toEqual([
      [2, [10, 12]],
      [5, [7]],
    ]);
  });

  it('keeps those that one rule finds, and no class without any', () => {
    expect(dumps('left')).toEqual([[2, [10]]]);
    expect(dumps('right')).toEqual([
      [2, [12]],
      [5, [7]],
    ]);
  });

  it('keeps the classes that are looked at', () => {
    expect(dumps('either', [5, 6])).toEqual([[5, [7]]]);
  });
});

describe('mergeGlyphs', () => {
  const list = [anomaly(10, 0.5, 0.1), anomaly(12, 0.2, 0.9), anomaly(13, 0.4, 0.4), anomaly(40, 0.6, 0.6)];

  it('keeps anomalies apart that the eye can tell apart', () => {
    expect(mergeGlyphs(list, (d) => d * 4, 0.35).map((g) => g.members.length)).toEqual([1, 1, 1, 1]);
  });

  it('joins those nearer than 4 pixels, standing at the strongest', () => {
    const [first, second] = mergeGlyphs(list, (d) => d, 0.35);
    expect(first.members.map((m) => m.dump)).toEqual([10, 12, 13]);
    expect(first.x).toBe(12);
    expect([first.left, first.right]).toEqual([0.5, 0.9]);
    expect(second.members.length).toBe(1);
  });

  it('draws only the rules that reach the threshold', () => {
    const [glyph] = mergeGlyphs([anomaly(1, 0.5, 0.34)], (d) => d, 0.35);
    expect([glyph.left, glyph.right]).toEqual([0.5, 0]);
    const [zero] = mergeGlyphs([anomaly(1, 0.5, 0)], (d) => d, 0);
    expect(zero.right).toBe(0);
  });
});

describe('byClass', () => {
  it('groups rows of the table', () => {
    const table = {
      cls: Int32Array.from([1, 1, 4]),
      dump: Int32Array.from([3, 8, 2]),
      left: Float32Array.from([0.5, 0, 1]),
      right: Float32Array.from([0, 0.5, 1]),
      pending: Float32Array.from([0, 0, 0.25]),
    };
    const grouped = byClass(table);
    expect(grouped.get(1)?.map((a) => a.dump)).toEqual([3, 8]);
    expect(grouped.get(4)?.[0]).toEqual({ cls: 4, dump: 2, left: 1, right: 1, pending: 0.25 });
  });
});

describe('percentUnder', () => {
  it('never offers a threshold above the score', () => {
    for (let i = 0; i <= 1000; i++) expect(percentUnder(i / 1000)).toBe(Math.floor(i / 10 + 1e-9));
  });
});
