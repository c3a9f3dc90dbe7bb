import { countText } from './format.ts';

/** How times of the clock are written in lists. */
const STEPS: readonly (readonly [number, string])[] = [
  [60, 'second'],
  [60, 'minute'],
  [24, 'hour'],
  [30, 'day'],
  [12, 'month'],
  [Number.POSITIVE_INFINITY, 'year'],
];

/** "3 minutes ago"; times that are not one give an empty text. */
export function relativeText(iso: string, now: number): string {
  const then = Date.parse(iso);
  if (Number.isNaN(then)) return '';
  let value = Math.max(0, (now - then) / 1000);
  if (value < 5) return 'just now';
  for (const [size, unit] of STEPS) {
    if (value < size) return `${countText(Math.floor(value), unit)} ago`;
    value /= size;
  }
  return '';
}

export function exactTimeText(iso: string): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return '';
  return time.toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });
}
