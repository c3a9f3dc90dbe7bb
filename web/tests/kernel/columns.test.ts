import { describe, expect, it } from 'vitest';
import { Columns, groupMeans } from '../../src/kernel/columns.ts';
import { integer, seeded } from '../random.ts';

describe('Columns.splice', () => {
  it('agrees with cutting and joining plain rows, whatever the order of splices', () => {
    const random = seeded(1);
    for (let round = 0; round < 60; round++) {
      const rows = 1 + integer(random, 4);
      let plain: number[][] = Array.from({ length: rows }, () => []);
      let columns = Columns.of(rows, new Int32Array(0));
      for (let step = 0; step < 12; step++) {
        const first = random() < 0.6 ? columns.length : integer(random, columns.length + 1);
        const added = integer(random, 30);
        const block = Int32Array.from({ length: rows * added }, () => integer(random, 1000));
        columns = columns.splice(first, block);
        plain = plain.map((row, r) => [...row.slice(0, first), ...block.slice(r * added, (r + 1) * added)]);
        expect(columns.length).toBe(plain[0].length);
        plain.forEach((row, r) => expect([...columns.row(r)]).toEqual(row));
      }
    }
  });

  it('leaves what the older object shows as it was, also after a branch', () => {
    const older = Columns.of(2, Uint8Array.from([1, 2, 3, 4, 5, 6])).splice(3, Uint8Array.from([7, 8]));
    const before = [[...older.row(0)], [...older.row(1)]];
    older.splice(1, Uint8Array.from([99, 98, 97, 96]));
    older.splice(4, Uint8Array.from([50, 51]));
    expect([[...older.row(0)], [...older.row(1)]]).toEqual(before);
  });

  it('refuses a gap and a block that is no whole number of columns', () => {
    const columns = Columns.of(2, Uint8Array.from([1, 2]));
    expect(() => columns.splice(2, Uint8Array.from([1, 2]))).toThrow(RangeError);
    expect(() => columns.splice(1, Uint8Array.from([1, 2, 3]))).toThrow(RangeError);
  });
});

describe('groupMeans', () => {
  it('averages the known cells of each group', () => {
    const cells = Columns.of(3, Uint8Array.from([9, 10, 0, 9, 20, 0, 9, 200, 255]));
    expect([...groupMeans(cells, [0, 0, 1], 2, 1)]).toEqual([15, 0, 200, 255]);
  });
});
