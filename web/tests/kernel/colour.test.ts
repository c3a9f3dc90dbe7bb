import { describe, expect, it } from 'vitest';
import {
  cellOf,
  countedShare,
  horizonColours,
  lutOf,
  rootLutOf,
  parseHex,
  shareOf,
  THEMES,
  type Ramp,
} from '../../src/kernel/colour.ts';

function lightness(pixel: number): number {
  const linear = [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255].map((v) => {
    const share = v / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}

function packed(hex: string): number {
  return parseHex(hex).reduce((sum, v, i) => sum | (v << (8 * i)), 0);
}

function contrast(a: string, b: string): number {
  const [x, y] = [lightness(packed(a)), lightness(packed(b))].sort((p, q) => q - p);
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

  it.each([
    ['light', -1],
    ['dark', 1],
  ] as const)('of changes and of horizon bands leave the %s background ever further', (name, sign) => {
    const theme = THEMES[name];
    const steps = (ramp: Ramp) => ramp.map((hex) => sign * lightness(packed(hex)));
    for (const ramp of [theme.changeRamp, theme.horizonPositive, theme.horizonNegative]) {
      const found = steps(ramp);
      found.slice(1).forEach((step, i) => expect(step).toBeGreaterThan(found[i]));
      expect(found[0]).toBeGreaterThan(sign * lightness(packed(theme.panel)) - 0.02);
    }
  });

  it.each([
    ['light', -1],
    ['dark', 1],
  ] as const)('of signed values leave zero to both sides alike in the %s theme', (name, sign) => {
    const lut = rootLutOf(THEMES[name].divergingRamp, 128);
    const light = (cell: number) => sign * lightness(lut[cell]);
    for (let away = 10; away <= 127; away += 9) {
      expect(light(128 + away)).toBeGreaterThan(light(128 + away - 9));
      expect(light(128 - away)).toBeGreaterThan(light(128 - away + 9));
    }
  });

  it('of signed values have their middle where zero is', () => {
    const ramp = THEMES.light.divergingRamp;
    const lut = rootLutOf(ramp, 40);
    expect(lut[40]).toBe(lutOf(ramp)[128]);
    expect(lut[255]).toBe(lutOf(ramp)[255]);
    const blue = (cell: number) => (lut[cell] >> 16) & 255;
    expect(blue(1)).toBeGreaterThan(lut[1] & 255);
    expect(lut[0]).toBe(0);
  });

  it('of one to six bands begin and end with those of the ramp', () => {
    const ramp = THEMES.light.horizonPositive;
    const css = (hex: string) => `rgb(${parseHex(hex).join(' ')})`;
    expect(horizonColours(ramp, 3)).toEqual(ramp.map(css));
    expect(horizonColours(ramp, 1)).toEqual([css(ramp[1])]);
    const six = horizonColours(ramp, 6);
    expect([six[0], six[5]]).toEqual([css(ramp[0]), css(ramp[2])]);
    expect(new Set(six).size).toBe(6);
  });

  it.each(['light', 'dark'] as const)('of nodes differ, and are seen on the %s background', (name) => {
    const { nodes, background, barOn, barOff } = THEMES[name];
    expect(new Set(Object.values(nodes)).size).toBe(6);
    for (const [kind, colour] of Object.entries(nodes))
      expect(contrast(colour, background)).toBeGreaterThan(kind === 'concat' ? 2.2 : 3);
    expect(contrast(barOn, background)).toBeGreaterThan(3);
    expect(contrast(barOn, barOff)).toBeGreaterThan(3);
  });

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

describe('rootLutOf', () => {
  it('begins and ends where the linear table does, and rises faster', () => {
    const ramp = ['#000000', '#ffffff'];
    const root = rootLutOf(ramp, 1);
    const linear = lutOf(ramp);
    expect(root[1]).toBe(linear[1]);
    expect(root[255]).toBe(linear[255]);
    expect(root[64] & 255).toBeCloseTo(127, -1);
    expect(linear[64] & 255).toBeCloseTo(63, -1);
    expect(root[0]).toBe(0);
  });

  it('treats both signs alike', () => {
    const lut = rootLutOf(['#000000', '#808080', '#ffffff'], 128);
    expect(lut[128] & 255).toBe(128);
    expect((lut[128 + 40] & 255) - 128).toBeCloseTo(128 - (lut[128 - 40] & 255), -1);
  });
});
