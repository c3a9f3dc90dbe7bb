import { describe, expect, it } from 'vitest';
import { csvLine, percentText, rateText, relativeText, shortened } from '../../src/kernel/format.ts';

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

  it('in CSV cells are quoted where they must be', () => {
    expect(csvLine(['a,b', 'say "x"', 3, null, Number.NaN, ''])).toBe('"a,b","say ""x""",3,,,');
  });
});
