import type { ClassOrder } from './layout.ts';
import type { RowOrder } from './predictions.ts';

/**
 * What does a link hold? Everything that is chosen on the screen, nothing that is merely hovered.
 *
 * `encode` and `decode` are pure: defaults are left out, lists of numbers are written as ranges (3-5.40), every number is
 * clamped, unknown values become the default, and nothing throws. Iterations are those of the training.
 */
export type Span = readonly [number, number];

export interface View {
  readonly run: string | null;
  /** Clusters; anomaly window in dumps; threshold in per cent. */
  readonly k: number;
  readonly win: number;
  readonly th: number;
  readonly anomalies: boolean;
  readonly only: boolean;
  readonly sort: ClassOrder;
  readonly clusters: readonly number[];
  readonly classes: readonly number[];
  /** Zoomed and brushed iterations, [a, b). */
  readonly zoom: Span | null;
  readonly brush: Span | null;
  readonly marks: readonly number[];
  readonly sample: number | null;
  /** Selected anomaly: class and iteration. */
  readonly anomaly: Span | null;
  readonly rows: RowOrder;
  readonly rowHeight: number;
}

export const DEFAULTS: View = {
  run: null,
  k: 4,
  win: 10,
  th: 35,
  anomalies: true,
  only: false,
  sort: 'hardest',
  clusters: [],
  classes: [],
  zoom: null,
  brush: null,
  marks: [],
  sample: null,
  anomaly: null,
  rows: 'similarity',
  rowHeight: 3,
};

export const BOUNDS = { k: [2, 12], win: [2, 60], th: [0, 100], rowHeight: [1, 8] } as const;
const SORTS: readonly ClassOrder[] = ['hardest', 'name', 'score', 'similarity'];
const ROWS: readonly RowOrder[] = ['similarity', 'label', 'final'];
const LONGEST_LIST = 5000;

export function encode(view: View): string {
  const query: string[] = [];
  const put = (key: string, value: string | number | null, unless: string | number | null) => {
    if (value !== unless && value !== null)
      query.push(`${key}=${encodeURIComponent(value).replaceAll('%2F', '/')}`);
  };
  put('run', view.run, null);
  put('k', view.k, DEFAULTS.k);
  put('win', view.win, DEFAULTS.win);
  put('th', view.th, DEFAULTS.th);
  put('an', view.anomalies ? 1 : 0, 1);
  put('only', view.only ? 1 : 0, 0);
  put('sort', view.sort, DEFAULTS.sort);
  put('open', encodeList(view.clusters), '');
  put('c', encodeList(view.classes), '');
  put('it', view.zoom && view.zoom.join('-'), null);
  put('br', view.brush && view.brush.join('-'), null);
  put('mark', encodeList(view.marks), '');
  put('s', view.sample, null);
  put('a', view.anomaly && view.anomaly.join('.'), null);
  put('rows', view.rows, DEFAULTS.rows);
  put('rh', view.rowHeight, DEFAULTS.rowHeight);
  return query.length ? `?${query.join('&')}` : '';
}

export function decode(search: string): View {
  const query = new URLSearchParams(search);
  const span = (key: string) => decodeSpan(query.get(key), '-', (a, b) => b > a);
  return {
    run: query.get('run') || null,
    k: clamped(query.get('k'), DEFAULTS.k, BOUNDS.k),
    win: clamped(query.get('win'), DEFAULTS.win, BOUNDS.win),
    th: clamped(query.get('th'), DEFAULTS.th, BOUNDS.th),
    anomalies: query.get('an') !== '0',
    only: query.get('only') === '1',
    sort: oneOf(query.get('sort'), SORTS, DEFAULTS.sort),
    clusters: decodeList(query.get('open')),
    classes: decodeList(query.get('c')),
    zoom: span('it'),
    brush: span('br'),
    marks: decodeList(query.get('mark')),
    sample: natural(query.get('s')),
    anomaly: decodeSpan(query.get('a'), '.', () => true),
    rows: oneOf(query.get('rows'), ROWS, DEFAULTS.rows),
    rowHeight: clamped(query.get('rh'), DEFAULTS.rowHeight, BOUNDS.rowHeight),
  };
}

/** Sorted numbers as `3-5.40`. */
export function encodeList(values: readonly number[]): string {
  const sorted = [...new Set(values)].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let i = 0; i < sorted.length;) {
    let j = i;
    while (j + 1 < sorted.length && sorted[j + 1] === sorted[j] + 1) j++;
    parts.push(j > i ? `${sorted[i]}-${sorted[j]}` : `${sorted[i]}`);
    i = j + 1;
  }
  return parts.join('.');
}

export function decodeList(text: string | null): number[] {
  const out = new Set<number>();
  for (const part of (text ?? '').split('.')) {
    const [from, to = from] = part.split('-').map(natural);
    if (from === null || to === null || from === undefined || to === undefined) continue;
    for (let value = from; value <= to && out.size < LONGEST_LIST; value++) out.add(value);
  }
  return [...out].sort((a, b) => a - b);
}

function natural(text: string | null): number | null {
  if (text === null || !/^\d{1,15}$/.test(text)) return null;
  return Number(text);
}

function clamped(text: string | null, fallback: number, [lo, hi]: Span): number {
  if (text === null || text.trim() === '') return fallback;
  const value = Math.round(Number(text));
  return Number.isFinite(value) ? Math.min(hi, Math.max(lo, value)) : fallback;
}

function oneOf<T extends string>(text: string | null, allowed: readonly T[], fallback: T): T {
  return allowed.find((value) => value === text) ?? fallback;
}

function decodeSpan(
  text: string | null,
  mark: string,
  valid: (a: number, b: number) => boolean,
): Span | null {
  const parts = (text ?? '').split(mark).map(natural);
  const [a, b] = parts;
  if (parts.length !== 2 || a === null || b === null || a === undefined || b === undefined) return null;
  return valid(a, b) ? [a, b] : null;
}

/** Does a change belong to one control that is being stepped (so that it may share one entry of the history)? */
export function onlyChange(a: View, b: View): keyof View | null {
  const keys = (Object.keys(a) as (keyof View)[]).filter((key) => String(a[key]) !== String(b[key]));
  return keys.length === 1 ? keys[0] : null;
}
