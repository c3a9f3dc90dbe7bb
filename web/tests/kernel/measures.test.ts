import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FILTER_DISTANCES, groupedMeasures, guideOf, measureText } from '../../src/kernel/measures.ts';
import type { NetworkAnswer } from '../../src/kernel/network.ts';

const answer = JSON.parse(
  readFileSync(new URL('../networks/resnet50.json', import.meta.url), 'utf8'),
) as NetworkAnswer;

describe('groupedMeasures', () => {
  it('places every measure of the server once', () => {
    for (const known of [answer.node_measures, answer.filter_measures]) {
      const placed = groupedMeasures(known).flatMap((group) => group.measures);
      expect([...placed].sort()).toEqual([...known].sort());
    }
  });

  it('knows the name of every measure of the server', () => {
    for (const measure of [...answer.node_measures, ...answer.filter_measures])
      expect(measureText(measure).title).not.toBe(measure);
  });

  it('keeps what it does not know, by its own name', () => {
    expect(groupedMeasures(['mean', 'brand_new'])).toEqual([
      { name: 'Weights', measures: ['mean'] },
      { name: 'Other', measures: ['brand_new'] },
    ]);
    expect(measureText('brand_new').label).toBe('brand_new');
  });
});

it('filter distances are measures of the server', () => {
  for (const distance of FILTER_DISTANCES) expect(answer.filter_measures).toContain(distance);
});

it('only the update ratio has a guide', () => {
  expect(guideOf('update_ratio')?.value).toBe(1e-3);
  expect(guideOf('mean')).toBeNull();
});
