import type { Theme } from '../kernel/colour.ts';
import type { Surface } from './surface.ts';

/** A count at something small. */
export interface Badge {
  readonly count: number;
  readonly x: number;
  readonly y: number;
  readonly anchor: 'start' | 'middle';
}

const HEIGHT = 11;

/** Where they would lie on each other the larger counts are kept, each in its place: a moved one would name another. */
export function drawBadges(surface: Surface, theme: Theme, badges: readonly Badge[]): void {
  const kept: Badge[] = [];
  for (const badge of [...badges].sort((a, b) => b.count - a.count)) {
    if (kept.every((other) => Math.abs(other.y - badge.y) >= HEIGHT)) kept.push(badge);
  }
  for (const { count, x, y, anchor } of kept) {
    const label = String(count);
    const w = label.length * 5.8 + 8;
    const left = anchor === 'middle' ? x - w / 2 : x;
    surface.rect(left, y - HEIGHT / 2, w, HEIGHT, { fill: theme.panel, radius: HEIGHT / 2 });
    surface.text(label, left + w / 2, y, { size: 9.6, weight: 600, fill: theme.ink, anchor: 'middle' });
  }
}
