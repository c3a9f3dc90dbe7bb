import { describe, expect, it } from 'vitest';
import { firstOfPage } from '../../src/views/validation/thumbnails.ts';

describe('firstOfPage', () => {
  it('is the page of the row last pointed at', () => {
    expect([0, 3, 4, 49, 99].map((pointed) => firstOfPage(pointed, 50, 4, 0, 50))).toEqual([0, 0, 4, 48, 48]);
  });

  it('follows the chart when that page has scrolled away', () => {
    expect(firstOfPage(2, 600, 4, 99.5, 140)).toBe(100);
    expect(firstOfPage(300, 600, 4, 0, 40)).toBe(0);
    expect(firstOfPage(2, 600, 4, 3.5, 40)).toBe(0);
  });

  it('is the first one of a class without samples', () => {
    expect(firstOfPage(0, 0, 4, 0, 0)).toBe(0);
  });
});
