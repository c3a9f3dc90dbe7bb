import { describe, expect, it } from 'vitest';
import {
  apply,
  applyInverse,
  cssOfAffine,
  IDENTITY,
  isUpright,
  mixed,
  pitches,
  quad,
  stretched,
  type Affine,
} from '../../src/kernel/affine.ts';
import { seeded } from '../random.ts';

const SKEWED: Affine = { a: 2, b: -1, c: 0.5, d: 3, e: 10, f: 20 };

describe('an affine map', () => {
  it('is written in the order of CSS', () => {
    expect(cssOfAffine(SKEWED)).toBe('matrix(2, -1, 0.5, 3, 10, 20)');
    expect(apply(SKEWED, 1, 2)).toEqual([13, 25]);
    expect(quad(SKEWED, 0, 0, 1, 1)).toEqual([10, 20, 12, 19, 12.5, 22, 10.5, 23]);
  });

  it('is undone by its inverse', () => {
    const random = seeded(3);
    for (let i = 0; i < 200; i++) {
      const [a, b, c, d, e, f] = Array.from({ length: 6 }, () => random() * 8 - 4);
      if (Math.abs(a * d - b * c) < 0.01) continue;
      const [x, y] = [random() * 100, random() * 100];
      const [u, v] = applyInverse({ a, b, c, d, e, f }, ...apply({ a, b, c, d, e, f }, x, y));
      expect(u).toBeCloseTo(x, 6);
      expect(v).toBeCloseTo(y, 6);
    }
  });

  it('stretches its own plane, not the screen', () => {
    expect(apply(stretched(SKEWED, 10, 100), 0.1, 0.02)).toEqual(apply(SKEWED, 1, 2));
  });

  it('moves every point on a straight line', () => {
    const half = mixed(IDENTITY, SKEWED, 0.5);
    const [x, y] = apply(SKEWED, 7, 9);
    expect(apply(half, 7, 9)).toEqual([(7 + x) / 2, (9 + y) / 2]);
    expect(mixed(IDENTITY, SKEWED, 1)).toEqual(SKEWED);
  });

  it('knows how long its units are, and whether it is skewed', () => {
    expect(pitches({ ...IDENTITY, a: 3, b: 4, d: 2 })).toEqual([5, 2]);
    expect(isUpright(IDENTITY)).toBe(true);
    expect(isUpright(SKEWED)).toBe(false);
  });
});
