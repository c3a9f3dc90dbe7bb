import { MISSING, UNDEFINED } from './labels.ts';

/**
 * How are values written in a link?
 *
 * Lists of numbers are ranges (3-5.40), ids have twelve digits. What is not understood becomes null or the given
 * default, numbers are clamped, and nothing throws.
 */
export type Span = readonly [number, number];

/** In place of a key, which has its kind before the first dot. */
export const ALL_FINDINGS = 'all';
const LONGEST_LIST = 5000;
const ID_DIGITS = 12;
const MOST_MINIS = 60;
const LARGEST_SHARE = 999;
const LONGEST_KEY = 200;

export const within = (share: number) => share > 0 && share <= LARGEST_SHARE;

/** What is predicted where it is no class, in words of the link. */
const NO_CLASS: ReadonlyMap<string, number> = new Map([
  ['nan', UNDEFINED],
  ['missing', MISSING],
]);

export function encodeCell([cls, predicted]: Span): string {
  const word = [...NO_CLASS].find(([, label]) => label === predicted)?.[0];
  return `${cls}.${word ?? predicted}`;
}

export function decodeCell(text: string | null): Span | null {
  const [first, second = '', ...rest] = (text ?? '').split('.');
  const cls = natural(first);
  const predicted = NO_CLASS.get(second) ?? natural(second);
  return cls === null || predicted === null || rest.length > 0 ? null : [cls, predicted];
}

/** The id of a mini-set as it is written everywhere: twelve hexadecimal digits. */
export function encodeId(id: number): string {
  return id.toString(16).padStart(ID_DIGITS, '0');
}

/** Mini-sets keep the order in which they were pinned: a comparison names them in it. */
export function decodeIds(text: string | null): number[] {
  const known = (text ?? '').split('.').filter((part) => /^[0-9a-f]{12}$/.test(part));
  return [...new Set(known)].slice(0, MOST_MINIS).map((part) => Number.parseInt(part, 16));
}

export function positive(text: string | null): number | null {
  const value = Number(text);
  return text !== null && text.trim() !== '' && Number.isFinite(value) && value > 0 ? value : null;
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

export function natural(text: string | null): number | null {
  if (text === null || !/^\d{1,15}$/.test(text)) return null;
  return Number(text);
}

export function clamped<T extends number | null>(
  text: string | null,
  fallback: T,
  [lo, hi]: Span,
): number | T {
  if (text === null || text.trim() === '') return fallback;
  const value = Math.round(Number(text));
  return Number.isFinite(value) ? Math.min(hi, Math.max(lo, value)) : fallback;
}

/** Of a finding in many classes the key would make the link long: then all are shown. */
export function findingKey(text: string | null): string {
  const known = text !== null && text.length <= LONGEST_KEY && /^[a-z0-9.-]+$/.test(text);
  return known ? text : ALL_FINDINGS;
}

/** The name of a measure; whether the run has it is seen when the network is known. */
export function measure(text: string | null, fallback: string): string {
  return text !== null && /^[a-z0-9_]{1,40}$/.test(text) ? text : fallback;
}

export function oneOf<T extends string>(text: string | null, allowed: readonly T[], fallback: T): T {
  return allowed.find((value) => value === text) ?? fallback;
}

export function decodeSpan(
  text: string | null,
  mark: string,
  valid: (a: number, b: number) => boolean,
): Span | null {
  const parts = (text ?? '').split(mark).map(natural);
  const [a, b] = parts;
  if (parts.length !== 2 || a === null || b === null || a === undefined || b === undefined) return null;
  return valid(a, b) ? [a, b] : null;
}
