import { parseHex, type Rgb } from './colour.ts';

/** Which ink is read best on a ground? By the contrast ratio of WCAG 2.2 (relative luminance of sRGB). */

/** `#rrggbb`, or `rgb(r g b)` as `cssOf` writes it. */
export function rgbOf(css: string): Rgb {
  if (css.startsWith('#')) return parseHex(css);
  const [r, g, b] = (css.match(/\d+/g) ?? []).map(Number);
  return [r, g, b];
}

/** 1 for equal colours, 21 for black on white. */
export function contrast(a: string, b: string): number {
  const [dark, light] = [luminance(rgbOf(a)), luminance(rgbOf(b))].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

export function inkOn(ground: string, inks: readonly [string, string]): string {
  return contrast(ground, inks[0]) >= contrast(ground, inks[1]) ? inks[0] : inks[1];
}

function luminance(rgb: Rgb): number {
  const [r, g, b] = rgb.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
