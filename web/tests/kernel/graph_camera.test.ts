import { describe, expect, it } from 'vitest';
import {
  fitted,
  kept,
  nodeAt,
  opening,
  READABLE,
  rectOnScreen,
  revealing,
  zoomed,
} from '../../src/kernel/graph_camera.ts';
import type { GraphLayout } from '../../src/kernel/graph_layout.ts';

const WINDOW = { width: 1000, height: 600 };

function graph(width: number, height: number): GraphLayout {
  const nodes = [
    { x: width / 2 - 50, y: 20, w: 100, h: 22 },
    { x: width / 2 - 50, y: height - 42, w: 100, h: 22 },
  ];
  return { nodes, joints: [], edges: [], width, height, apart: null };
}

describe('opening', () => {
  it('shows the whole graph where its text can be read', () => {
    const camera = opening(graph(800, 700), WINDOW);
    expect(camera).toEqual(fitted({ width: 800, height: 700 }, WINDOW));
    expect(camera.scale).toBeGreaterThanOrEqual(READABLE);
  });

  it('begins at the top of a tall one, readable and in the middle', () => {
    const tall = graph(300, 9000);
    expect(fitted(tall, WINDOW).scale).toBeLessThan(READABLE);
    expect(opening(tall, WINDOW)).toEqual({ scale: 1, x: 350, y: 0 });
  });

  it('begins at the first node of one that is too wide to be read', () => {
    const wide = graph(5000, 900);
    const camera = opening(wide, WINDOW);
    expect(camera.scale).toBe(READABLE);
    const first = rectOnScreen(wide.nodes[0], camera);
    expect(first.x + first.w / 2).toBeCloseTo(500);
  });
});

describe('zoomed', () => {
  it('keeps the point under the pointer where it is', () => {
    const before = { scale: 1, x: 30, y: -40 };
    const after = zoomed(before, 1.5, [400, 300], graph(2000, 2000), WINDOW);
    expect(after.scale).toBe(1.5);
    expect((400 - after.x) / after.scale).toBeCloseTo(400 - before.x);
    expect((300 - after.y) / after.scale).toBeCloseTo(300 - before.y);
  });

  it('ends a little beyond the whole graph, and at four times', () => {
    const tall = graph(300, 9000);
    const whole = fitted(tall, WINDOW);
    expect(zoomed(whole, 1e-3, [0, 0], tall, WINDOW).scale).toBeCloseTo(0.8 * whole.scale);
    expect(zoomed(whole, 1e3, [0, 0], tall, WINDOW).scale).toBe(4);
  });
});

describe('kept', () => {
  it('leaves some of the graph in the window', () => {
    const size = { width: 400, height: 400 };
    expect(kept({ scale: 1, x: 5000, y: -5000 }, size, WINDOW)).toEqual({ scale: 1, x: 920, y: -320 });
    expect(kept({ scale: 1, x: 10, y: 20 }, size, WINDOW)).toEqual({ scale: 1, x: 10, y: 20 });
  });
});

describe('revealing', () => {
  const tall = graph(300, 3000);

  it('does not move for a node that is seen', () => {
    const camera = { scale: 1, x: 100, y: 0 };
    expect(revealing(camera, tall.nodes[0], tall, WINDOW)).toEqual(camera);
  });

  it('moves to one that is not, with what is next to it, but not beyond the end', () => {
    const start = { scale: 1, x: 100, y: 0 };
    const middle = revealing(start, { x: 100, y: 1000, w: 80, h: 20 }, tall, WINDOW);
    expect(middle.y + 1000 + 20).toBeCloseTo(600 - 88);
    const end = revealing(start, tall.nodes[1], tall, WINDOW);
    expect(end.y + tall.height).toBeCloseTo(600);
    expect(revealing(end, tall.nodes[0], tall, WINDOW).y).toBe(0);
  });
});

describe('nodeAt', () => {
  it('finds the node under a point of the window', () => {
    const camera = { scale: 2, x: 10, y: 5 };
    const one = graph(300, 300);
    const { x, y, w, h } = rectOnScreen(one.nodes[1], camera);
    expect(nodeAt(one, camera, x + w / 2, y + h / 2)).toBe(1);
    expect(nodeAt(one, camera, x - 2, y + 1)).toBe(1);
    expect(nodeAt(one, camera, x - 20, y + 1)).toBeNull();
  });
});
