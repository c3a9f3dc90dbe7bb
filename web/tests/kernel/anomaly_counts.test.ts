import { describe, expect, it } from 'vitest';
import { countAt, lowerThreshold, lowerWindow, stricterThreshold } from '../../src/kernel/anomaly_counts.ts';

const counts = new Int32Array(2 * 101);
for (let percent = 0; percent <= 100; percent++) {
  counts[percent] = 100 - percent;
  counts[101 + percent] = percent <= 20 ? 12 : percent <= 30 ? 3 : 0;
}
const table = { windows: Int32Array.from([2, 10]), counts };

describe('countAt', () => {
  it('reads the window, or says that the nearest one is only near', () => {
    expect(countAt(table, 2, 40)).toEqual({ count: 60, exact: true });
    expect(countAt(table, 9, 25)).toEqual({ count: 3, exact: false });
    expect(countAt({ windows: new Int32Array(0), counts: new Int32Array(0) }, 2, 40)).toBeNull();
  });
});

describe('lowerThreshold', () => {
  it('is the highest round one that shows enough', () => {
    expect(lowerThreshold(table, 10, 35, 10)).toEqual({ percent: 20, count: 12 });
    expect(lowerThreshold(table, 2, 35, 10)).toEqual({ percent: 30, count: 70 });
    expect(lowerThreshold(table, 2, 33, 10)).toEqual({ percent: 30, count: 70 });
  });

  it('is none where even the lowest shows too few', () => {
    expect(lowerThreshold(table, 10, 35, 13)).toBeNull();
    expect(lowerThreshold(table, 10, 0, 1)).toBeNull();
  });
});

describe('stricterThreshold', () => {
  it('is the lowest round one that shows few enough, and some', () => {
    expect(stricterThreshold(table, 2, 35, 50)).toEqual({ percent: 50, count: 50 });
    expect(stricterThreshold(table, 2, 35, 60)).toEqual({ percent: 40, count: 60 });
    expect(stricterThreshold(table, 10, 12, 11)).toEqual({ percent: 25, count: 3 });
  });

  it('is none where what is few enough is nothing', () => {
    expect(stricterThreshold(table, 10, 12, 2)).toBeNull();
    expect(stricterThreshold(table, 2, 100, 50)).toBeNull();
  });
});

describe('lowerWindow', () => {
  it('is the largest one below at which anything fires', () => {
    expect(lowerWindow(table, 11)).toBe(10);
    expect(lowerWindow(table, 10)).toBe(2);
  });

  it('is none where nothing fires below', () => {
    expect(lowerWindow(table, 2)).toBeNull();
    expect(lowerWindow({ windows: table.windows, counts: new Int32Array(2 * 101) }, 60)).toBeNull();
  });
});
