import { cssOfAffine, isUpright, type Affine } from '../kernel/affine.ts';
import type { Pixels } from '../kernel/raster.ts';
import { canvasOf, FONT, type Fill, type Stroke, type Surface, type TextStyle } from './surface.ts';

const round = (value: number) => String(Math.round(value * 100) / 100);

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] ?? c);
}

/** Writes SVG: shapes and text as themselves, rasters as embedded PNG, one pixel a cell. */
export class SvgSurface implements Surface {
  readonly density = 2;
  readonly #parts: string[] = [];
  readonly #definitions: string[] = [];
  readonly #hatches = new Map<string, string>();
  #clips = 0;
  #isSkewed = false;

  rect(x: number, y: number, w: number, h: number, style: Fill): void {
    const radius = style.radius ? ` rx="${round(style.radius)}"` : '';
    this.#parts.push(`<rect ${box(x, y, w, h)}${radius} ${filled(style)}/>`);
  }

  frame(x: number, y: number, w: number, h: number, style: Stroke): void {
    this.#parts.push(`<rect ${box(x, y, w, h)} fill="none" ${stroked(style)}/>`);
  }

  line(points: ArrayLike<number>, style: Stroke): void {
    this.#parts.push(`<polyline points="${pairs(points)}" fill="none" ${stroked(style)}/>`);
  }

  polygon(points: ArrayLike<number>, fill: Fill, stroke: Stroke | null): void {
    const edge = stroke ? ` ${stroked(stroke)} stroke-linejoin="round"` : '';
    this.#parts.push(`<polygon points="${pairs(points)}" ${filled(fill)}${edge}/>`);
  }

  text(text: string, x: number, y: number, style: TextStyle): void {
    const anchor = style.anchor && style.anchor !== 'start' ? ` text-anchor="${style.anchor}"` : '';
    const weight = style.weight ? ` font-weight="${style.weight}"` : '';
    const at = `x="${round(x)}" y="${round(y + style.size * 0.36)}"`;
    const turned = style.angle ? ` transform="rotate(${round(style.angle)} ${round(x)} ${round(y)})"` : '';
    this.#parts.push(
      `<text ${at} font-size="${style.size}"${weight}${anchor} ${filled(style)}${turned}>${escaped(text)}</text>`,
    );
  }

  pixels(pixels: Pixels, x: number, y: number, w: number, h: number): void {
    if (pixels.width > 0 && pixels.height > 0)
      this.#image(canvasOf(pixels).toDataURL('image/png'), x, y, w, h);
  }

  picture(image: HTMLImageElement, x: number, y: number, w: number, h: number): void {
    const canvas = document.createElement('canvas');
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    canvas.getContext('2d')?.drawImage(image, 0, 0);
    this.#image(canvas.toDataURL('image/png'), x, y, w, h);
  }

  hatch(x: number, y: number, w: number, h: number, line: string, ground: string): void {
    const key = line + ground;
    let id = this.#hatches.get(key);
    if (!id) {
      id = `hatch${this.#hatches.size}`;
      this.#hatches.set(key, id);
      this.#definitions.push(
        `<pattern id="${id}" width="6" height="6" patternUnits="userSpaceOnUse"><rect width="6" height="6" ` +
          `fill="${ground}"/><path d="M-1 7 7 -1M-1 1 1 -1M5 7 7 5" stroke="${line}" stroke-opacity=".55"/></pattern>`,
      );
    }
    this.#parts.push(`<rect ${box(x, y, w, h)} fill="url(#${id})"/>`);
  }

  clipped(x: number, y: number, w: number, h: number, draw: () => void): void {
    const id = `clip${this.#clips++}`;
    this.#definitions.push(`<clipPath id="${id}"><rect ${box(x, y, w, h)}/></clipPath>`);
    this.#parts.push(`<g clip-path="url(#${id})">`);
    draw();
    this.#parts.push('</g>');
  }

  transformed(matrix: Affine, draw: () => void): void {
    const was = this.#isSkewed;
    this.#parts.push(`<g transform="${cssOfAffine(matrix)}">`);
    this.#isSkewed = was || !isUpright(matrix);
    draw();
    this.#isSkewed = was;
    this.#parts.push('</g>');
  }

  /** `font`: address of the page's font as data, so that the file looks the same where it is not installed. */
  finish(width: number, height: number, title: string, font: string): string {
    const face = `@font-face{font-family:'Inter Variable';font-weight:100 900;src:url(${font}) format('woff2')}`;
    return (
      `<svg xmlns="http://www.w3.org/2000/svg" width="${round(width)}" height="${round(height)}" ` +
      `viewBox="0 0 ${round(width)} ${round(height)}" font-family="${FONT}" ` +
      `style="font-variant-numeric:tabular-nums"><title>${escaped(title)}</title>` +
      `<defs><style>${face}</style>${this.#definitions.join('')}</defs>${this.#parts.join('\n')}</svg>\n`
    );
  }

  #image(address: string, x: number, y: number, w: number, h: number): void {
    const style = this.#isSkewed ? '' : ' style="image-rendering:pixelated"';
    this.#parts.push(`<image ${box(x, y, w, h)} preserveAspectRatio="none"${style} href="${address}"/>`);
  }
}

function box(x: number, y: number, w: number, h: number): string {
  return `x="${round(x)}" y="${round(y)}" width="${round(Math.max(0, w))}" height="${round(Math.max(0, h))}"`;
}

function pairs(points: ArrayLike<number>): string {
  const out: string[] = [];
  for (let i = 0; i + 1 < points.length; i += 2) out.push(`${round(points[i])},${round(points[i + 1])}`);
  return out.join(' ');
}

function filled(style: Pick<Fill, 'fill' | 'alpha'>): string {
  return `fill="${style.fill}"${style.alpha === undefined ? '' : ` fill-opacity="${style.alpha}"`}`;
}

function stroked(style: Stroke): string {
  const dash = style.dash ? ` stroke-dasharray="${style.dash.join(' ')}"` : '';
  const alpha = style.alpha === undefined ? '' : ` stroke-opacity="${style.alpha}"`;
  return `stroke="${style.stroke}" stroke-width="${style.width ?? 1}"${dash}${alpha}`;
}
