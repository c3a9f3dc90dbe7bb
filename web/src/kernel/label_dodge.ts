import { separateAnchors } from './links.ts';

/**
 * How do the names of many rows and columns stay readable beside each other?
 *
 * 1. Names beside rows are moved apart, as little as possible, each with a leader to its row (`dodged`). Where there are
 *    more than room, those that matter least are left out.
 * 2. Names below columns cannot move, since they hang from their column: the most important one is placed first, and
 *    whatever would come too near is left out (`greedy`).
 */
export interface Placed {
  readonly index: number;
  readonly at: number;
}

/** `wanted` ascending. Of equal priorities those that are spread most evenly stay. */
export function dodged(
  wanted: readonly number[],
  priority: (index: number) => number,
  gap: number,
  lo: number,
  hi: number,
): Placed[] {
  const room = Math.max(1, Math.floor((hi - lo) / gap) + 1);
  const all = wanted.map((_, index) => index);
  const kept = all.length <= room ? all : mostImportant(all, priority, room);
  const placed = separateAnchors(
    kept.map((index) => wanted[index]),
    gap,
    lo,
    hi,
  );
  return kept.map((index, i) => ({ index, at: placed[i] }));
}

/** By priority; within the priority at which the room ends, evenly. */
function mostImportant(all: readonly number[], priority: (index: number) => number, room: number): number[] {
  const sorted = [...all].sort((a, b) => priority(b) - priority(a) || a - b);
  const last = priority(sorted[room - 1]);
  const sure = sorted.filter((index) => priority(index) > last);
  const equal = sorted.filter((index) => priority(index) === last);
  const rest = room - sure.length;
  const even = Array.from({ length: rest }, (_, i) => equal[Math.floor(((i + 0.5) * equal.length) / rest)]);
  return [...sure, ...even].sort((a, b) => a - b);
}

/** Indexes of those that are placed, ascending; no two nearer than `gap`. */
export function greedy(at: readonly number[], priority: (index: number) => number, gap: number): number[] {
  const order = at.map((_, index) => index).sort((a, b) => priority(b) - priority(a) || a - b);
  const kept: number[] = [];
  for (const index of order) {
    if (kept.every((other) => Math.abs(at[other] - at[index]) >= gap)) kept.push(index);
  }
  return kept.sort((a, b) => a - b);
}
