import { isUpright, type Affine } from '../kernel/affine.ts';
import type { Pixels } from '../kernel/raster.ts';
import { canvasOf, FONT, type Fill, type Stroke, type Surface, type TextStyle } from './surface.ts';

/** A canvas made ready for a picture of so many CSS pixels: sharp on this screen, and empty. `held` is used again. */
export function surfaceOn(
  canvas: HTMLCanvasElement,
  width: number,
  height: number,
  held: CanvasSurface | null = null,
): CanvasSurface | null {
  const density = Math.max(1, window.devicePixelRatio || 1);
  const context = canvas.getContext('2d');
  if (!context) return null;
  const [w, h] = [Math.round(width * density), Math.round(height * density)];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  context.setTransform(density, 0, 0, density, 0, 0);
  context.clearRect(0, 0, width, height);
  return held?.density === density ? held : new CanvasSurface(context, density);
}

/** Draws on a canvas whose context is scaled to CSS pixels. */
export class CanvasSurface implements Surface {
  readonly #context: CanvasRenderingContext2D;
  readonly #scratch = document.createElement('canvas');
  readonly #patterns = new Map<string, CanvasPattern>();
  /** In a skewed plane no pixel of a raster is one of the screen. */
  #isSkewed = false;

  constructor(
    context: CanvasRenderingContext2D,
    readonly density: number,
  ) {
    this.#context = context;
  }

  rect(x: number, y: number, w: number, h: number, style: Fill): void {
    const c = this.#context;
    c.globalAlpha = style.alpha ?? 1;
    c.fillStyle = style.fill;
    if (style.radius) {
      c.beginPath();
      c.roundRect(x, y, w, h, style.radius);
      c.fill();
    } else c.fillRect(x, y, w, h);
    c.globalAlpha = 1;
  }

  frame(x: number, y: number, w: number, h: number, style: Stroke): void {
    this.#stroked(style);
    this.#context.strokeRect(x, y, w, h);
    this.#context.globalAlpha = 1;
  }

  line(points: ArrayLike<number>, style: Stroke): void {
    this.#stroked(style);
    this.#trace(points);
    this.#context.stroke();
    this.#context.globalAlpha = 1;
    this.#context.setLineDash([]);
  }

  polygon(points: ArrayLike<number>, fill: Fill, stroke: Stroke | null): void {
    const c = this.#context;
    this.#trace(points);
    c.closePath();
    c.globalAlpha = fill.alpha ?? 1;
    c.fillStyle = fill.fill;
    c.fill();
    if (stroke) {
      this.#stroked(stroke);
      c.lineJoin = 'round';
      c.stroke();
    }
    c.globalAlpha = 1;
  }

  text(text: string, x: number, y: number, style: TextStyle): void {
    const c = this.#context;
    c.font = `${style.weight ?? 400} ${style.size}px ${FONT}`;
    c.textBaseline = 'middle';
    c.textAlign = style.anchor === 'middle' ? 'center' : style.anchor === 'end' ? 'right' : 'left';
    c.fillStyle = style.fill;
    c.globalAlpha = style.alpha ?? 1;
    if (style.angle) {
      c.save();
      c.translate(x, y);
      c.rotate((style.angle * Math.PI) / 180);
      c.fillText(text, 0, 0.5);
      c.restore();
    } else c.fillText(text, x, y + 0.5);
    c.globalAlpha = 1;
  }

  pixels(pixels: Pixels, x: number, y: number, w: number, h: number): void {
    if (pixels.width === 0 || pixels.height === 0) return;
    this.#context.imageSmoothingEnabled = this.#isSkewed;
    this.#context.drawImage(canvasOf(pixels, this.#scratch), x, y, w, h);
  }

  picture(image: HTMLImageElement, x: number, y: number, w: number, h: number): void {
    this.#context.imageSmoothingEnabled = false;
    this.#context.drawImage(image, x, y, w, h);
  }

  hatch(x: number, y: number, w: number, h: number, line: string, ground: string): void {
    this.#context.fillStyle = this.#pattern(line, ground);
    this.#context.fillRect(x, y, w, h);
  }

  clipped(x: number, y: number, w: number, h: number, draw: () => void): void {
    const c = this.#context;
    c.save();
    c.beginPath();
    c.rect(x, y, w, h);
    c.clip();
    draw();
    c.restore();
  }

  transformed(matrix: Affine, draw: () => void): void {
    const c = this.#context;
    const was = this.#isSkewed;
    c.save();
    c.transform(matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f);
    this.#isSkewed = was || !isUpright(matrix);
    draw();
    this.#isSkewed = was;
    c.restore();
  }

  #trace(points: ArrayLike<number>): void {
    const c = this.#context;
    c.beginPath();
    for (let i = 0; i + 1 < points.length; i += 2) {
      if (i === 0) c.moveTo(points[0], points[1]);
      else c.lineTo(points[i], points[i + 1]);
    }
  }

  #stroked(style: Stroke): void {
    const c = this.#context;
    c.globalAlpha = style.alpha ?? 1;
    c.strokeStyle = style.stroke;
    c.lineWidth = style.width ?? 1;
    c.setLineDash(style.dash ? [...style.dash] : []);
  }

  #pattern(line: string, ground: string): CanvasPattern | string {
    const key = line + ground;
    const held = this.#patterns.get(key);
    if (held) return held;
    const tile = document.createElement('canvas');
    tile.width = 6;
    tile.height = 6;
    const c = tile.getContext('2d');
    if (!c) return ground;
    c.fillStyle = ground;
    c.fillRect(0, 0, 6, 6);
    c.strokeStyle = line;
    c.globalAlpha = 0.55;
    c.lineWidth = 1;
    for (const shift of [-6, 0, 6]) {
      c.beginPath();
      c.moveTo(shift - 1, 7);
      c.lineTo(shift + 7, -1);
      c.stroke();
    }
    const made = this.#context.createPattern(tile, 'repeat');
    if (made) this.#patterns.set(key, made);
    return made ?? ground;
  }
}
