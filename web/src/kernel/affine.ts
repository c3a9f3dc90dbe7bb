/**
 * Where does a point of a plane lie on the screen, and what point of the plane lies under one of the screen?
 *
 * The six coefficients are those of CSS `matrix(a, b, c, d, e, f)` and of `CanvasRenderingContext2D.transform`:
 * x' = a x + c y + e, y' = b x + d y + f. CSS, canvas and SVG are given the very numbers that hits are found with.
 */
export interface Affine {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly e: number;
  readonly f: number;
}

export type Point = readonly [number, number];

export const IDENTITY: Affine = { a: 1, b: 0, c: 0, d: 1, e: 0, f: 0 };

export function apply({ a, b, c, d, e, f }: Affine, x: number, y: number): Point {
  return [a * x + c * y + e, b * x + d * y + f];
}

/** The point that `apply` takes to (x, y); not a number where the plane is seen edge on. */
export function applyInverse({ a, b, c, d, e, f }: Affine, x: number, y: number): Point {
  const area = a * d - b * c;
  return [(d * (x - e) - c * (y - f)) / area, (a * (y - f) - b * (x - e)) / area];
}

/** The matrix of a plane whose own points are first stretched by (sx, sy). */
export function stretched({ a, b, c, d, e, f }: Affine, sx: number, sy: number): Affine {
  return { a: a * sx, b: b * sx, c: c * sy, d: d * sy, e, f };
}

/** Linear in all six coefficients: every point of the plane moves on a straight line, at a steady pace. */
export function mixed(from: Affine, to: Affine, share: number): Affine {
  const mix = (p: number, q: number) => p + (q - p) * share;
  return {
    a: mix(from.a, to.a),
    b: mix(from.b, to.b),
    c: mix(from.c, to.c),
    d: mix(from.d, to.d),
    e: mix(from.e, to.e),
    f: mix(from.f, to.f),
  };
}

/** The corners of [x0, x1] x [y0, y1] on the screen, in order around it, as x, y pairs. */
export function quad(m: Affine, x0: number, y0: number, x1: number, y1: number): number[] {
  return [...apply(m, x0, y0), ...apply(m, x1, y0), ...apply(m, x1, y1), ...apply(m, x0, y1)];
}

/** How long steps of 1 in x and in y are on the screen. */
export function pitches({ a, b, c, d }: Affine): Point {
  return [Math.hypot(a, b), Math.hypot(c, d)];
}

/** Is the plane neither skewed nor turned? */
export function isUpright({ b, c }: Affine): boolean {
  return b === 0 && c === 0;
}

export function cssOfAffine({ a, b, c, d, e, f }: Affine): string {
  return `matrix(${[a, b, c, d, e, f].map((value) => String(Math.round(value * 1e8) / 1e8)).join(', ')})`;
}
