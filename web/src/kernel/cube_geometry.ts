import { apply, applyInverse, mixed, stretched, type Affine, type Point } from './affine.ts';

/**
 * Where do the three faces lie on the stage, in each layout and on the way from one to another?
 *
 * 1. The axes of the faces in their own units: front x = dumps, y = rows of filters; right x = columns of classes,
 *    y = rows of filters; top x = dumps, y = columns, counted from the last one, so that class 0 is nearest.
 * 2. A placement is made for faces of 1 x 1, whatever is on them (`placementOf`); their sizes come in afterwards
 *    (`faceMatrix`). So a change of the data, or of the window, in the midst of a change of layout does no harm.
 * 3. In between two layouts every coefficient is mixed (`mixedPlacement`): faces that share an edge at both ends share it
 *    all the way, and no determinant changes its sign. What a layout does not show fades.
 * 4. What lies under a point is found by the inverse of the matrix that a face is drawn with; of faces that lie over each
 *    other on the way, the uppermost is asked first.
 */
export const FACES = ['front', 'top', 'right'] as const;
export type FaceName = (typeof FACES)[number];

/** Those of the cube, and `right`: the Correlation view alone. */
export type Layout = 'cube' | 'flat' | 'front' | 'top' | 'right';

export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

export interface FacePlace {
  /** Of a face of 1 x 1. */
  readonly matrix: Affine;
  /** 0 hidden, 1 shown. */
  readonly shown: number;
}

export interface Placement {
  readonly faces: Readonly<Record<FaceName, FacePlace>>;
  /** The chart of the overall error. */
  readonly chart: Rect & { readonly where: 'below' | 'corner'; readonly shown: number };
  /** The left edge of the rows: of the front, or of the right where it stands in its place. */
  readonly left: number;
  /** By how many degrees the names of classes hang down. */
  readonly labelAngle: number;
  /** How much of each layout this is, for words that have another place in each. */
  readonly parts: readonly { readonly layout: Layout; readonly share: number }[];
}

export interface Sizes {
  readonly dumps: number;
  readonly rows: number;
  readonly columns: number;
}

export interface StageSize {
  readonly width: number;
  readonly height: number;
}

/** Shares of the stage. */
export const DEPTH: Point = [0.255, 0.285];
const LEAST_DEPTH = 60;
const LEAST_FACE = 60;
/** A face that is not shown waits as a strip at the edge that it comes out of. */
const HIDDEN = 1;
const NARROW_BELOW = 1120;
const WIDE = { left: 236, cubeRight: 64, flatRight: 70 };
const NARROW = { left: 196, cubeRight: 46, flatRight: 62 };
const CUBE = { top: 40, bottom: 96 };
const FLAT = { top: 58, bottom: 110 };
/** A face alone, or two side by side, have their titles above them. */
const SIDE = { top: 40, bottom: 118 };
const GAP = 12;
const FRONT_SHARE = 0.53;
const TOP_SHARE = 0.4;
const ANGLES = { cube: 52, flat: 58 };
const CHART = { below: 26, height: 56, aboveFront: 52 };

export function placementOf(layout: Layout, stage: StageSize, depth: Point | null): Placement {
  const margins = stage.width < NARROW_BELOW ? NARROW : WIDE;
  const made = layout === 'cube' ? cube(stage, depth, margins) : unskewed(layout, stage, margins);
  return { ...made, parts: [{ layout, share: 1 }] };
}

type Unnamed = Omit<Placement, 'parts'>;
type Margins = typeof WIDE;

function cube(stage: StageSize, depth: Point | null, margins: Margins): Unnamed {
  const [dx, dy] = depthPixels(stage, depth, margins);
  const w = stage.width - margins.left - dx - margins.cubeRight;
  const h = stage.height - CUBE.top - dy - CUBE.bottom;
  const x = margins.left;
  const y = CUBE.top + dy;
  return {
    faces: {
      front: { matrix: { a: w, b: 0, c: 0, d: h, e: x, f: y }, shown: 1 },
      top: { matrix: { a: w, b: 0, c: -dx, d: dy, e: x + dx, f: y - dy }, shown: 1 },
      right: { matrix: { a: dx, b: -dy, c: 0, d: h, e: x + w, f: y }, shown: 1 },
    },
    chart: { x, y: y + h + CHART.below, w, h: CHART.height, where: 'below', shown: 1 },
    left: x,
    labelAngle: ANGLES.cube,
  };
}

/** The depth in pixels: as asked for as long as every face keeps a size that can be pointed at. */
function depthPixels({ width, height }: StageSize, depth: Point | null, margins: Margins): Point {
  const [share, rise] = depth ?? DEPTH;
  const cut = (value: number, room: number) => Math.max(LEAST_DEPTH, Math.min(value, room - LEAST_FACE));
  return [
    cut(share * width, width - margins.left - margins.cubeRight),
    cut(rise * height, height - CUBE.top - CUBE.bottom),
  ];
}

/**
 * The depth after the far corner was dragged by (dx, dy) pixels: pulled out, the cube becomes deeper. The corner itself
 * stays where it is, since the cube always fills its stage.
 */
export function draggedDepth(from: Point | null, stage: StageSize, dx: number, dy: number): Point {
  const margins = stage.width < NARROW_BELOW ? NARROW : WIDE;
  const [x, y] = depthPixels(stage, from, margins);
  const [w, h] = [stage.width, stage.height];
  const [px, py] = depthPixels(stage, [(x + dx) / w, (y - dy) / h], margins);
  return [px / w, py / h];
}

/** The three faces of the paper's Fig. 5c, or some of them. */
function unskewed(layout: Exclude<Layout, 'cube'>, stage: StageSize, margins: Margins): Unnamed {
  const hasFront = layout === 'flat' || layout === 'front';
  const hasTop = layout === 'flat' || layout === 'top';
  const edge = hasTop ? FLAT : SIDE;
  const x = margins.left;
  const width = stage.width - x - margins.flatRight;
  const height = stage.height - edge.top - edge.bottom;
  const w = hasFront ? (width - GAP) * FRONT_SHARE : HIDDEN;
  const v = hasTop ? (height - GAP) * TOP_SHARE : HIDDEN;
  const n = hasFront ? width - GAP - w : width;
  const h = hasTop ? height - GAP - v : height;
  const y = hasTop ? edge.top + v + GAP : edge.top;
  const rightX = hasFront ? x + w + GAP : x;
  const topY = hasTop ? edge.top : y - v;
  const corner = { y: topY, h: Math.max(LEAST_FACE, v - CHART.aboveFront), where: 'corner' } as const;
  const below = { y: y + h + CHART.below, h: CHART.height, where: 'below' } as const;
  return {
    faces: {
      front: { matrix: { a: w, b: 0, c: 0, d: h, e: x, f: y }, shown: hasFront ? 1 : 0 },
      // A quarter turn: time runs down to the corner where both time axes meet the correlation.
      top: { matrix: { a: 0, b: v, c: -n, d: 0, e: rightX + n, f: topY }, shown: hasTop ? 1 : 0 },
      right: { matrix: { a: n, b: 0, c: 0, d: h, e: rightX, f: y }, shown: 1 },
    },
    chart: { x, w, ...(layout === 'flat' ? corner : below), shown: hasFront ? 1 : 0 },
    left: x,
    labelAngle: ANGLES.flat,
  };
}

/** Below the front and in the free corner are different places: on the way it is left out, or it would cross the front. */
function mixedChart(a: Placement['chart'], b: Placement['chart'], share: number): Placement['chart'] {
  const mix = (p: number, q: number) => p + (q - p) * share;
  const along = { x: mix(a.x, b.x), w: mix(a.w, b.w) };
  if (a.where === b.where) {
    return { ...along, y: mix(a.y, b.y), h: mix(a.h, b.h), where: a.where, shown: mix(a.shown, b.shown) };
  }
  const nearer = share < 0.5 ? a : b;
  return { ...nearer, ...along, shown: nearer.shown * Math.abs(2 * share - 1) };
}

export function mixedPlacement(from: Placement, to: Placement, share: number): Placement {
  if (share >= 1) return to;
  const mix = (p: number, q: number) => p + (q - p) * share;
  const face = (name: FaceName): FacePlace => ({
    matrix: mixed(from.faces[name].matrix, to.faces[name].matrix, share),
    shown: mix(from.faces[name].shown, to.faces[name].shown),
  });
  const parts = new Map(from.parts.map((part) => [part.layout, part.share * (1 - share)]));
  for (const part of to.parts) parts.set(part.layout, (parts.get(part.layout) ?? 0) + part.share * share);
  return {
    faces: { front: face('front'), top: face('top'), right: face('right') },
    chart: mixedChart(from.chart, to.chart, share),
    left: mix(from.left, to.left),
    labelAngle: mix(from.labelAngle, to.labelAngle),
    parts: [...parts].map(([layout, part]) => ({ layout, share: part })),
  };
}

/** How much of a layout a placement is, 0..1. */
export function shareOfLayout(placement: Placement, ...layouts: readonly Layout[]): number {
  return placement.parts.reduce((sum, part) => sum + (layouts.includes(part.layout) ? part.share : 0), 0);
}

/** Width and height of a face in its own units. */
export function faceSize(face: FaceName, { dumps, rows, columns }: Sizes): Point {
  if (face === 'front') return [dumps, rows];
  return face === 'top' ? [dumps, columns] : [columns, rows];
}

/** From a face's own units to the stage. */
export function faceMatrix(placement: Placement, face: FaceName, sizes: Sizes): Affine {
  const [w, h] = faceSize(face, sizes);
  return stretched(placement.faces[face].matrix, 1 / w, 1 / h);
}

export interface FaceHit {
  readonly face: FaceName;
  /** In units of the face. */
  readonly x: number;
  readonly y: number;
}

const ASKED: readonly FaceName[] = ['right', 'front', 'top'];
const HALF_SHOWN = 0.5;

export function isShown(placement: Placement, face: FaceName): boolean {
  return placement.faces[face].shown >= HALF_SHOWN;
}

/** The face under a point of the stage, and where on it. */
export function faceAt(placement: Placement, sizes: Sizes, x: number, y: number): FaceHit | null {
  for (const face of ASKED) {
    if (!isShown(placement, face)) continue;
    const [w, h] = faceSize(face, sizes);
    const [px, py] = applyInverse(faceMatrix(placement, face, sizes), x, y);
    if (px >= 0 && px < w && py >= 0 && py < h) return { face, x: px, y: py };
  }
  return null;
}

/** A point of a face on the stage. */
export function onStage(placement: Placement, face: FaceName, sizes: Sizes, x: number, y: number): Point {
  return apply(faceMatrix(placement, face, sizes), x, y);
}
