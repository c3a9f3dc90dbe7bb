import type { Affine } from '../../src/kernel/affine.ts';
import type { Pixels } from '../../src/kernel/raster.ts';
import type { Fill, Stroke, Surface, TextStyle } from '../../src/marks/surface.ts';

interface Box {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

/** Keeps what was drawn, so that a test can look at it. */
export class RecordingSurface implements Surface {
  readonly density = 1;
  readonly rects: (Box & { readonly style: Fill })[] = [];
  readonly frames: (Box & { readonly style: Stroke })[] = [];
  readonly lines: { readonly points: readonly number[]; readonly style: Stroke }[] = [];
  readonly polygons: { readonly points: readonly number[]; readonly fill: Fill }[] = [];
  readonly texts: { readonly text: string; readonly x: number; readonly y: number }[] = [];
  readonly rasters: (Box & { readonly pixels: Pixels })[] = [];
  readonly hatches: Box[] = [];
  readonly transforms: Affine[] = [];

  rect(x: number, y: number, w: number, h: number, style: Fill): void {
    this.rects.push({ x, y, w, h, style });
  }

  frame(x: number, y: number, w: number, h: number, style: Stroke): void {
    this.frames.push({ x, y, w, h, style });
  }

  line(points: ArrayLike<number>, style: Stroke): void {
    this.lines.push({ points: Array.from(points), style });
  }

  polygon(points: ArrayLike<number>, fill: Fill): void {
    this.polygons.push({ points: Array.from(points), fill });
  }

  text(text: string, x: number, y: number, style: TextStyle): void {
    if (style.size < 9.6) throw new RangeError(`text must be at least 9.6 pixels high. Got ${style.size}.`);
    this.texts.push({ text, x, y });
  }

  pixels(pixels: Pixels, x: number, y: number, w: number, h: number): void {
    this.rasters.push({ pixels, x, y, w, h });
  }

  picture(): void {
    throw new Error('no mark under test draws a picture.');
  }

  hatch(x: number, y: number, w: number, h: number): void {
    this.hatches.push({ x, y, w, h });
  }

  clipped(_x: number, _y: number, _w: number, _h: number, draw: () => void): void {
    draw();
  }

  transformed(matrix: Affine, draw: () => void): void {
    this.transforms.push(matrix);
    draw();
  }
}
