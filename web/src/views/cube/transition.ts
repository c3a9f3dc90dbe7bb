import { mixedPlacement, type Placement } from '../../kernel/cube_geometry.ts';

/**
 * How does one layout become another? In 650 ms, every coefficient on a straight line from what is on the screen now (also
 * in the midst of another change) to what it will be, slowly at both ends.
 */
export const TRANSITION_MS = 650;

export interface Transition {
  readonly from: Placement;
  /** On the clock of animation frames. */
  readonly begun: number;
}

/** Slow at both ends, 0..1. */
export function eased(share: number): number {
  const cut = Math.max(0, Math.min(1, share));
  return cut * cut * (3 - 2 * cut);
}

export function isOver({ begun }: Transition, now: number): boolean {
  return now - begun >= TRANSITION_MS;
}

export function placementAt({ from, begun }: Transition, to: Placement, now: number): Placement {
  return mixedPlacement(from, to, eased((now - begun) / TRANSITION_MS));
}

export function wantsNoMotion(): boolean {
  return matchMedia('(prefers-reduced-motion: reduce)').matches;
}
