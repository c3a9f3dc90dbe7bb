import { describe, expect, it } from 'vitest';
import { SvgSurface } from '../../src/marks/svg_surface.ts';

function written(draw: (surface: SvgSurface) => void): string {
  const surface = new SvgSurface();
  draw(surface);
  return surface.finish(10, 10, 'title', 'data:');
}

describe('the SVG', () => {
  it('draws in a skewed plane within its group, and nothing after it', () => {
    const text = written((surface) => {
      surface.transformed({ a: 2, b: -1, c: 0, d: 3, e: 10, f: 20 }, () =>
        surface.rect(0, 0, 1, 1, { fill: '#123456' }),
      );
      surface.rect(5, 5, 1, 1, { fill: '#abcdef' });
    });
    expect(text).toMatch(
      /<g transform="matrix\(2, -1, 0, 3, 10, 20\)">\s*<rect [^>]*#123456[^>]*\/>\s*<\/g>\s*<rect [^>]*#abcdef/,
    );
  });

  it('turns text around its anchor', () => {
    const text = written((surface) => {
      surface.text('dome', 3, 4, { size: 10, fill: '#000000', angle: 52, alpha: 0.5 });
      surface.text('plain', 3, 4, { size: 10, fill: '#000000' });
    });
    expect(text).toMatch(/<text [^>]*fill-opacity="0.5" transform="rotate\(52 3 4\)">dome</);
    expect(text).toMatch(/<text [^>]*fill="#000000">plain</);
  });
});
