import { describe, expect, it } from 'vitest';
import { cellOf, countedShare, lutOf, parseHex, shareOf, THEMES } from '../../src/kernel/colour.ts';

function lightness(packed: number): number {
  const linear = [packed & 255, (packed >> 8) & 255, (packed >> 16) & 255].map((v) => {
    const share = v / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}

function contrast(a: string, b: string): number {
  const pack = (hex: string) => parseHex(hex).reduce((sum, v, i) => sum | (v << (8 * i)), 0);
  const [x, y] = [lightness(pack(a)), lightness(pack(b))].sort((p, q) => q - p);
  return (x + 0.05) / (y + 0.05);
}

describe('colour tables', () => {
  it.each(['light', 'dark'] as const)(
    'of errors grow lighter with every tenth step in the %s theme',
    (name) => {
      const lut = lutOf(THEMES[name].errorRamp);
      expect(lut[0]).toBe(0);
      for (let i = 11; i < 256; i += 10) expect(lightness(lut[i])).toBeGreaterThan(lightness(lut[i - 10]));
    },
  );

  it.each(['light', 'dark'] as const)('of text reach 4.5 : 1 in the %s theme', (name) => {
    const theme = THEMES[name];
    for (const ink of [theme.ink, theme.ink2, theme.ink3])
      expect(contrast(ink, theme.background)).toBeGreaterThan(4.5);
  });
});

describe('cells', () => {
  it('bring shares back within half a step', () => {
    for (let i = 0; i <= 100; i++)
      expect(Math.abs(shareOf(cellOf(i / 100)) - i / 100)).toBeLessThanOrEqual(0.5 / 254);
    expect(shareOf(cellOf(Number.NaN))).toBeNaN();
  });

  it('name the exact count of every class below 128 samples', () => {
    for (let size = 1; size <= 127; size++) {
      for (let count = 0; count <= size; count++)
        expect(countedShare(cellOf(count / size), size).count).toBe(count);
    }
    expect(countedShare(cellOf(0.5), 1000).count).toBeNull();
  });
});
