import { describe, expect, it } from 'vitest';
import { CorrelationIndex, type CorrelationTable } from '../../src/kernel/correlation.ts';
import { limitTexts } from '../../src/kernel/correlation_limit_texts.ts';
import {
  cutOf,
  isLimited,
  limitsOf,
  MOST_CLASSES,
  rowsThatFit,
  scoresOf,
  type Limits,
} from '../../src/kernel/correlation_limits.ts';
import { CorrelationModel } from '../../src/kernel/correlation_model.ts';
import { randomCorrelation } from '../random_correlation.ts';

function limits(table: CorrelationTable, across: number, down: number, wanted: 'sets' | 'counts' = 'sets') {
  const cut = cutOf(table);
  const { by } = rowsThatFit(table, cut, down);
  return limitsOf(new CorrelationModel(new CorrelationIndex(table), cut, by, down), wanted, across, down);
}

/** What is said of limits; something is said wherever one is reached, and only there. */
function said(found: Limits): string[] {
  const texts = limitTexts(found);
  expect(isLimited(found)).toBe(texts.length > 0);
  return texts;
}

describe('the cut', () => {
  it('takes all where there are few', () => {
    const table = randomCorrelation(1);
    expect(cutOf(table)).toEqual({ classes: [...table.classes.keys()], layers: [...table.layers.keys()] });
  });

  it('takes the classes with the highest score, and the layers with most anomaly filters of these', () => {
    const table = randomCorrelation(2, { classes: 20, layers: 9, density: 0.05 });
    const cut = cutOf(table, 7, 4);
    const scores = scoresOf(table);
    expect(cut.classes).toEqual([...cut.classes].sort((a, b) => a - b));
    expect(cut.classes.length).toBe(7);
    const lowest = Math.min(...cut.classes.map((place) => scores[place]));
    const others = [...scores.keys()].filter((place) => !cut.classes.includes(place));
    expect(Math.max(...others.map((place) => scores[place]))).toBeLessThanOrEqual(lowest);
    const filters = (layer: number) =>
      cut.classes.reduce((sum, place) => sum + table.counts[layer * table.classes.length + place], 0);
    const least = Math.min(...cut.layers.map(filters));
    for (const layer of table.layers.keys()) {
      if (!cut.layers.includes(layer)) expect(filters(layer)).toBeLessThanOrEqual(least);
    }
  });
});

describe('rows', () => {
  it('become mini-sets and then layers where they would be thinner than a pixel', () => {
    const table = randomCorrelation(3, { classes: 3, layers: 4, filters: 60, density: 0.12 });
    const cut = cutOf(table);
    const filters = table.filters.length;
    const sets = table.setSize.length;
    expect(sets).toBeLessThan(filters * 0.8);
    expect(rowsThatFit(table, cut, filters * 1.2).by).toBe('filter');
    expect(rowsThatFit(table, cut, sets * 1.1).by).toBe('set');
    expect(rowsThatFit(table, cut, sets * 0.7).by).toBe('layer');
  });
});

describe('cells', () => {
  const table = randomCorrelation(4, { classes: 30 });

  it('are mini-sets as long as columns are wide enough', () => {
    const fine = limits(table, 900, 600);
    expect([fine.by, fine.cells]).toEqual(['filter', 'sets']);
    expect(said(fine)).toEqual([]);
    const narrow = limits(table, 0.29 * (4 * table.columnDump.length + 6 * table.classes.length), 600);
    expect(narrow.columnPixels).toBeCloseTo(1.16, 2);
    expect(narrow.cells).toBe('counts');
    expect(said(narrow).join()).toMatch(/columns would be 1.1\d? px wide.*deeper/);
  });

  it('are counts where they are asked for, without an excuse', () => {
    const counts = limits(table, 900, 600, 'counts');
    expect(counts.cells).toBe('counts');
    expect(said(counts)).toEqual([]);
  });

  it('are counts where rows are layers', () => {
    const thin = limits(table, 900, 20);
    expect([thin.by, thin.cells]).toEqual(['layer', 'counts']);
    expect(said(thin)).toEqual([
      expect.stringMatching(/^A row is a layer/),
      'Counts in place of mini-sets.',
      expect.stringMatching(/^Raise the score/),
    ]);
  });
});

describe('many classes', () => {
  it('are cut, and it is said how many are shown of how many', () => {
    const table = randomCorrelation(5, { classes: MOST_CLASSES + 31, layers: 2, filters: 3 });
    const found = limits(table, 3000, 600);
    expect(found.classes).toEqual({ shown: 120, all: 151 });
    expect(said(found)).toEqual([
      'Showing 120 of 151 classes, by score.',
      'Raise the score, or choose classes or layers.',
    ]);
  });

  it('and many layers too', () => {
    const table = randomCorrelation(5, { layers: 71, filters: 2, density: 0.5 });
    const found = limits(table, 3000, 4000);
    expect(found.layers).toEqual({ shown: 60, all: table.layers.length });
    expect(said(found).join()).toContain('Showing 60 of 71 layers, by anomaly filters.');
  });
});

describe('an answer without anything', () => {
  it('reaches no limit', () => {
    const found = limits(randomCorrelation(1, { density: 0 }), 500, 400);
    expect(found.by).toBe('filter');
    expect(said(found)).toEqual([]);
  });
});
