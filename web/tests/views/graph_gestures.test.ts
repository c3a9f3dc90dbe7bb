import { describe, expect, it } from 'vitest';
import { kept, zoomed, type Camera } from '../../src/kernel/graph_camera.ts';
import { GraphGestures } from '../../src/views/layers/graph_gestures.ts';
import type { GraphView } from '../../src/views/layers/graph_view.svelte.ts';

const WINDOW = { width: 1000, height: 600 };
const GRAPH = { width: 2000, height: 2000 };

/** A window on a graph with one node, that lies left of 100. */
class Window {
  camera: Camera = { scale: 1, x: 0, y: 0 };
  node: number | null = null;
  opened: number[] = [];

  at(x: number): number | null {
    return x < 100 ? 7 : null;
  }
  open(node: number): void {
    this.opened.push(node);
  }
  pan(dx: number, dy: number): void {
    this.camera = kept({ ...this.camera, x: this.camera.x + dx, y: this.camera.y + dy }, GRAPH, WINDOW);
  }
  zoomBy(factor: number, at: readonly [number, number]): void {
    this.camera = zoomed(this.camera, factor, at, GRAPH, WINDOW);
  }
}

function begin() {
  const view = new Window();
  return { view, hand: new GraphGestures(view as unknown as GraphView) };
}

const finger = (pointerId: number) => ({ pointerId, button: 0 }) as PointerEvent;
const wheel = (change: Partial<WheelEvent>) =>
  ({ deltaX: 0, deltaY: 0, deltaMode: 0, DOM_DELTA_LINE: 1, ...change }) as WheelEvent;

describe('GraphGestures', () => {
  it('opens the node that is clicked, and none after a drag', () => {
    const { view, hand } = begin();
    hand.down(finger(1), [50, 50]);
    hand.move(finger(1), [52, 51]);
    hand.up(finger(1), [52, 51]);
    expect(view.opened).toEqual([7]);
    hand.down(finger(1), [50, 50]);
    hand.move(finger(1), [20, 90]);
    expect(hand.panning).toBe(true);
    hand.up(finger(1), [20, 90]);
    expect(view.opened).toEqual([7]);
    expect(view.camera).toEqual({ scale: 1, x: -30, y: 40 });
  });

  it('points at nodes while nothing is pressed', () => {
    const { view, hand } = begin();
    hand.move(finger(1), [50, 50]);
    expect(view.node).toBe(7);
    hand.move(finger(1), [500, 50]);
    expect(view.node).toBeNull();
  });

  it('zooms as far as two fingers part, around their middle', () => {
    const { view, hand } = begin();
    hand.down(finger(1), [400, 300]);
    hand.down(finger(2), [600, 300]);
    hand.move(finger(1), [300, 300]);
    hand.move(finger(2), [700, 300]);
    expect(view.camera.scale).toBeCloseTo(2);
    expect((500 - view.camera.x) / view.camera.scale).toBeCloseTo(500);
    hand.up(finger(1), [300, 300]);
    hand.up(finger(2), [700, 300]);
    expect(view.opened).toEqual([]);
    expect(hand.panning).toBe(false);
  });

  it('zooms by the wheel, and moves by it sideways or with Shift', () => {
    const { view, hand } = begin();
    hand.wheel(wheel({ deltaY: -100 }), [0, 0]);
    expect(view.camera.scale).toBeGreaterThan(1);
    hand.wheel(wheel({ deltaY: 100 }), [0, 0]);
    expect(view.camera.scale).toBeCloseTo(1);
    hand.wheel(wheel({ deltaX: 60 }), [0, 0]);
    hand.wheel(wheel({ deltaX: 100, shiftKey: true }), [0, 0]);
    expect(view.camera.x).toBeCloseTo(-60);
    expect(view.camera.y).toBeCloseTo(-100);
  });
});
