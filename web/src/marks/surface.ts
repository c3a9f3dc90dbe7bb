import type { Affine } from '../kernel/affine.ts';
import type { Pixels } from '../kernel/raster.ts';

/** What a mark may draw with. One drawing serves the screen, the PNG and the SVG. All lengths are CSS pixels. */
export interface Stroke {
  readonly stroke: string;
  readonly width?: number;
  readonly dash?: readonly [number, number];
  readonly alpha?: number;
}

export interface Fill {
  readonly fill: string;
  readonly alpha?: number;
  readonly radius?: number;
}

export interface TextStyle {
  readonly size: number;
  readonly fill: string;
  readonly weight?: number;
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly alpha?: number;
  /** Degrees by which it is turned around its anchor, clockwise. */
  readonly angle?: number;
}

export interface Surface {
  rect(x: number, y: number, w: number, h: number, style: Fill): void;
  frame(x: number, y: number, w: number, h: number, style: Stroke): void;
  /** x, y pairs. */
  line(points: ArrayLike<number>, style: Stroke): void;
  polygon(points: ArrayLike<number>, fill: Fill, stroke: Stroke | null): void;
  /** y is the middle of the line of text. */
  text(text: string, x: number, y: number, style: TextStyle): void;
  pixels(pixels: Pixels, x: number, y: number, w: number, h: number): void;
  picture(image: HTMLImageElement, x: number, y: number, w: number, h: number): void;
  hatch(x: number, y: number, w: number, h: number, line: string, ground: string): void;
  clipped(x: number, y: number, w: number, h: number, draw: () => void): void;
  /** Draws in the coordinates of a plane that may be skewed or turned. */
  transformed(matrix: Affine, draw: () => void): void;
  /** Device pixels in a CSS pixel, for rasters. */
  readonly density: number;
}

export const FONT = "'Inter Variable', Inter, system-ui, sans-serif";

/** An element that holds the pixels one to one; both surfaces scale it without smoothing. */
export function canvasOf(pixels: Pixels, reuse?: HTMLCanvasElement): HTMLCanvasElement {
  const canvas = reuse ?? document.createElement('canvas');
  if (canvas.width !== pixels.width || canvas.height !== pixels.height) {
    canvas.width = pixels.width;
    canvas.height = pixels.height;
  }
  const bytes = new Uint8ClampedArray(pixels.data.buffer as ArrayBuffer);
  canvas.getContext('2d')?.putImageData(new ImageData(bytes, pixels.width, pixels.height), 0, 0);
  return canvas;
}
