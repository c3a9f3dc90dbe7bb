import { describe, expect, it } from 'vitest';
import { colourAt, cssOf, THEMES } from '../../src/kernel/colour.ts';
import { contrast, inkOn, rgbOf } from '../../src/kernel/contrast.ts';
import { INKS } from '../../src/marks/graph.ts';

describe('contrast', () => {
  it('is that of WCAG', () => {
    expect(contrast('#000000', '#ffffff')).toBeCloseTo(21);
    expect(contrast('#777777', '#ffffff')).toBeCloseTo(4.48, 2);
    expect(contrast('#123456', '#123456')).toBeCloseTo(1);
  });

  it('reads colours as the theme and as ramps write them', () => {
    expect(rgbOf('#c8574b')).toEqual([200, 87, 75]);
    expect(rgbOf(cssOf([1, 20, 255]))).toEqual([1, 20, 255]);
  });
});

describe('inkOn', () => {
  it('can be read on every colour of a node, by kind and by value', () => {
    for (const theme of Object.values(THEMES)) {
      const shares = Array.from({ length: 41 }, (_, i) => i / 40);
      const ramps = [theme.changeRamp, theme.divergingRamp];
      const grounds = [
        ...Object.values(theme.nodes),
        ...ramps.flatMap((ramp) => shares.map((share) => cssOf(colourAt(ramp, share)))),
      ];
      for (const ground of grounds) expect(contrast(ground, inkOn(ground, INKS))).toBeGreaterThan(4.5);
    }
  });
});
