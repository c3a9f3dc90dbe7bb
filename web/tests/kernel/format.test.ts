import { describe, expect, it } from 'vitest';
import { csvLine } from '../../src/kernel/csv.ts';
import { lastParts, percentText, rateText, shortened, valueText } from '../../src/kernel/format.ts';
import { relativeText } from '../../src/kernel/times.ts';

describe('texts', () => {
  it('of shares', () => {
    expect([0, 0.034, 0.0999, 0.12, 1, Number.NaN, null].map(percentText)).toEqual([
      '0 %',
      '3.4 %',
      '10 %',
      '12 %',
      '100 %',
      '–',
      '–',
    ]);
  });

  it('of weights and their changes', () => {
    expect([0, 0.1234, -2.5, 54.32, 1234.5, 0.0123].map(valueText)).toEqual([
      '0',
      '0.123',
      '−2.5',
      '54.3',
      '1,235',
      '0.0123',
    ]);
    expect([-0.00054, 1e-3, 123456, -Infinity, Number.NaN].map(valueText)).toEqual([
      '−5.4e-4',
      '1e-3',
      '1.2e5',
      '−∞',
      '–',
    ]);
  });

  it('of learning rates', () => {
    expect([0.8, 0.0008, 8e-5, 0.1, 0].map(rateText)).toEqual(['0.8', '0.0008', '8e-5', '0.1', '0']);
  });

  it('of times', () => {
    const now = Date.parse('2024-05-01T12:00:00Z');
    expect(relativeText('2024-05-01T11:59:58Z', now)).toBe('just now');
    expect(relativeText('2024-05-01T11:59:00Z', now)).toBe('1 minute ago');
    expect(relativeText('2024-04-28T12:00:00Z', now)).toBe('3 days ago');
    expect(relativeText('never', now)).toBe('');
  });

  it('too long for their place', () => {
    expect(shortened('acoustic guitar', 9)).toBe('acous…tar');
    expect(shortened('fig', 9)).toBe('fig');
  });

  it('of modules lose their first parts', () => {
    expect(lastParts('layer1.0.conv1', 14)).toBe('layer1.0.conv1');
    expect(lastParts('features.denseblock1.denselayer1', 20)).toBe('…denselayer1');
    expect(lastParts('features.denseblock1', 16)).toBe('…denseblock1');
    expect(lastParts('a.downsampling_convolution', 12)).toBe('downsam…tion');
  });

  it('in CSV cells are quoted where they must be', () => {
    expect(csvLine(['a,b', 'say "x"', 3, null, Number.NaN, ''])).toBe('"a,b","say ""x""",3,,,');
  });
});
