import type { NodeKind } from './network.ts';

/**
 * Which colour means what? The ramps are strictly monotonic in lightness for normal and colour-blind eyes; every ramp
 * becomes a table of 256 packed pixels, entry 0 transparent (missing: the hatch below shows through).
 */
export type ThemeName = 'light' | 'dark';
export type Ramp = readonly string[];
export type Lut = Uint32Array;

const ERROR = {
  light: ['#0b3c49', '#14626b', '#2f8a7d', '#74ad7e', '#bccb78', '#efe07a', '#fff3a3'],
  dark: ['#07222b', '#0e4751', '#1f6f69', '#5d9a70', '#a9bf6c', '#e8da72', '#fff6b0'],
};
const CHANGE = {
  light: ['#f6f9fd', '#e1ebf6', '#c3d8ee', '#93bbe0', '#5a93cb', '#2a66ae', '#0d3a7d'],
  dark: ['#10161d', '#13273c', '#16436b', '#1f659f', '#4590cf', '#8dbdec', '#e3f1ff'],
};
/** From the band next to zero outwards; blue and orange stay apart for every kind of colour blindness. */
const POSITIVE = {
  light: ['#f0d3ae', '#dd9a4c', '#a85a12'],
  dark: ['#573a1a', '#b0702c', '#f5c07f'],
};
const NEGATIVE = {
  light: ['#bfd6ee', '#6ea2d6', '#1f5aa0'],
  dark: ['#1f3c60', '#3f7cc2', '#a3cdf7'],
};
const ZERO = { light: '#f6f5f2', dark: '#12161c' };
const COUNT = {
  light: ['#f7f7fb', '#dcdcf0', '#b4b3dc', '#827fc0', '#54489b', '#371a72'],
  dark: ['#12161d', '#25264a', '#433f82', '#6e68b8', '#a39ee0', '#e1defc'],
};

export interface Theme {
  readonly name: ThemeName;
  readonly background: string;
  readonly panel: string;
  readonly ink: string;
  readonly ink2: string;
  readonly ink3: string;
  readonly line: string;
  readonly faint: string;
  readonly highlight: string;
  readonly brush: string;
  readonly mark: string;
  readonly training: string;
  readonly validation: string;
  readonly correct: string;
  readonly incorrect: string;
  readonly hatch: string;
  readonly hatchGround: string;
  readonly skeleton: string;
  readonly triangle: string;
  readonly triangleEdge: string;
  readonly veil: string;
  readonly stages: readonly string[];
  readonly errorRamp: Ramp;
  readonly countRamp: Ramp;
  readonly changeRamp: Ramp;
  readonly horizonPositive: Ramp;
  readonly horizonNegative: Ramp;
  /** Negative, zero, positive. */
  readonly divergingRamp: Ramp;
  readonly nodes: Readonly<Record<NodeKind, string>>;
  /** Level bars of what is shown, and of what is not. */
  readonly barOn: string;
  readonly barOff: string;
}

function aroundZero(name: ThemeName): Ramp {
  return [...NEGATIVE[name].toReversed(), ZERO[name], ...POSITIVE[name]];
}

const LIGHT: Theme = {
  name: 'light',
  background: '#fbfbf9',
  panel: '#ffffff',
  ink: '#1b1f24',
  ink2: '#4b5560',
  ink3: '#626b75',
  line: '#d9dde1',
  faint: '#eceeee',
  highlight: '#c2185b',
  brush: '#b45309',
  mark: '#6d28d9',
  training: '#2f6db5',
  validation: '#b84d14',
  correct: '#cfe3df',
  incorrect: '#c8501e',
  hatch: '#69737d',
  hatchGround: '#e1e4e7',
  skeleton: '#e6e8e9',
  triangle: '#ffffff',
  triangleEdge: '#14181d',
  veil: '#fbfbf9',
  stages: ['#4b4f63', '#7d808f', '#a9abb6', '#cbccd2'],
  errorRamp: ERROR.light,
  countRamp: COUNT.light,
  changeRamp: CHANGE.light,
  horizonPositive: POSITIVE.light,
  horizonNegative: NEGATIVE.light,
  divergingRamp: aroundZero('light'),
  nodes: {
    data: '#3f9a62',
    conv: '#c8574b',
    pool: '#8e63b5',
    add: '#69737d',
    concat: '#d99a2b',
    linear: '#8c6d31',
  },
  barOn: '#2f6db5',
  barOff: '#cfdcec',
};

const DARK: Theme = {
  name: 'dark',
  background: '#0e1217',
  panel: '#161b22',
  ink: '#e9edf1',
  ink2: '#b4bdc7',
  ink3: '#84909c',
  line: '#2b323b',
  faint: '#1e242c',
  highlight: '#ff5fa2',
  brush: '#fbbf24',
  mark: '#b79cff',
  training: '#6ea8e8',
  validation: '#f0965a',
  correct: '#24403d',
  incorrect: '#e0703a',
  hatch: '#84909c',
  hatchGround: '#20262d',
  skeleton: '#20262d',
  triangle: '#ffffff',
  triangleEdge: '#0b0e12',
  veil: '#0e1217',
  stages: ['#c4c8d6', '#9196a6', '#666b7a', '#464b58'],
  errorRamp: ERROR.dark,
  countRamp: COUNT.dark,
  changeRamp: CHANGE.dark,
  horizonPositive: POSITIVE.dark,
  horizonNegative: NEGATIVE.dark,
  divergingRamp: aroundZero('dark'),
  nodes: {
    data: '#4fb077',
    conv: '#d9695c',
    pool: '#a67fd0',
    add: '#84909c',
    concat: '#ecb550',
    linear: '#94753a',
  },
  barOn: '#5b9be6',
  barOff: '#25364b',
};

/** Those that the page around the canvas wears too. */
export const PAGE_COLOURS = [
  'background',
  'panel',
  'ink',
  'ink2',
  'ink3',
  'highlight',
  'brush',
  'mark',
  'skeleton',
] as const satisfies readonly (keyof Theme)[];

/** Correct and incorrect as printed in the paper; hard to tell apart for many, so never the default. */
export const PAPER_COLOURS = { correct: '#5cb85c', incorrect: '#d9534f' } as const;

export const THEMES: Readonly<Record<ThemeName, Theme>> = { light: LIGHT, dark: DARK };

/** Of pinned mini-sets; each carries its number as well, since colours repeat and not all eyes tell them apart. */
const PINS: Readonly<Record<ThemeName, readonly string[]>> = {
  light: ['#047857', '#7c2d12', '#334155', '#6d28d9'],
  dark: ['#34d399', '#fdba74', '#cbd5e1', '#b79cff'],
};

/** `place`: of how many that were pinned before it. */
export function pinColour({ name }: Theme, place: number): string {
  return PINS[name][place % PINS[name].length];
}

export type Rgb = readonly [number, number, number];

export function parseHex(hex: string): Rgb {
  const value = Number.parseInt(hex.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

/** Colour at a share 0..1 of a ramp. */
export function colourAt(ramp: Ramp, share: number): Rgb {
  const position = Math.min(1, Math.max(0, share)) * (ramp.length - 1);
  const left = Math.min(ramp.length - 2, Math.floor(position));
  const a = parseHex(ramp[left]);
  const b = parseHex(ramp[left + 1]);
  const mix = (i: 0 | 1 | 2) => Math.round(a[i] + (b[i] - a[i]) * (position - left));
  return [mix(0), mix(1), mix(2)];
}

export function cssOf([r, g, b]: Rgb): string {
  return `rgb(${r} ${g} ${b})`;
}

/** The colours of 1 to 6 bands, the one next to zero first. */
export function horizonColours(ramp: Ramp, bands: number): string[] {
  return Array.from({ length: bands }, (_, band) =>
    cssOf(colourAt(ramp, bands === 1 ? 0.5 : band / (bands - 1))),
  );
}

/** Packed little-endian RGBA for 1..255 = 0..1 of the ramp; 0 = missing. */
export function lutOf(ramp: Ramp): Lut {
  return tableOf(ramp, (cell) => (cell - 1) / 254);
}

/**
 * A table whose colours go by the root of magnitudes: at the beginning filters change so much that on a linear scale all
 * that follows would have no colour. Magnitudes are counted from the cell `zero`.
 */
export function rootLutOf(ramp: Ramp, zero: number): Lut {
  const reach = Math.max(zero - 1, 255 - zero);
  const root = (cell: number) => Math.sign(cell - zero) * Math.sqrt(Math.abs(cell - zero) / reach);
  return tableOf(ramp, (cell) => (zero === 1 ? root(cell) : 0.5 + root(cell) / 2));
}

function tableOf(ramp: Ramp, shareOfCell: (cell: number) => number): Lut {
  const lut = new Uint32Array(256);
  for (let cell = 1; cell < 256; cell++) {
    const [r, g, b] = colourAt(ramp, shareOfCell(cell));
    lut[cell] = ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  }
  return lut;
}

/** A share 0..1 as a cell of such a table; NaN is missing. */
export function cellOf(share: number): number {
  return Number.isNaN(share) ? 0 : 1 + Math.round(Math.min(1, Math.max(0, share)) * 254);
}

/** The inverse: NaN where missing. */
export function shareOf(cell: number): number {
  return cell === 0 ? Number.NaN : (cell - 1) / 254;
}

/**
 * The share of a class of `size` samples behind a cell. 255 steps name the exact count as long as the class has fewer
 * samples than half as many; `count` is null for larger classes.
 */
export function countedShare(cell: number, size: number): { share: number; count: number | null } {
  const share = shareOf(cell);
  if (Number.isNaN(share) || size < 1 || size > 127) return { share, count: null };
  const count = Math.round(share * size);
  return { share: count / size, count };
}
