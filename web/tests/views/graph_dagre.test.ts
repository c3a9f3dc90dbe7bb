import { describe, expect, it } from 'vitest';
import type { GraphLayout, GraphRect } from '../../src/kernel/graph_layout.ts';
import { Example, randomGraphs, real, realGraphs, realNetwork } from '../graph_examples.ts';

const REAL = realGraphs();
const ALL = [...REAL, ...randomGraphs(30)];

function overlap(a: GraphRect, b: GraphRect): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

/** Points along a line, half a pixel apart or closer. */
function* along(points: readonly number[]): Generator<[number, number]> {
  for (let i = 0; i + 3 < points.length; i += 2) {
    const [x0, y0, x1, y1] = points.slice(i, i + 4);
    const steps = Math.ceil(2 * Math.hypot(x1 - x0, y1 - y0)) || 1;
    for (let s = 0; s <= steps; s++) yield [x0 + ((x1 - x0) * s) / steps, y0 + ((y1 - y0) * s) / steps];
  }
}

/** Where a line to or from a part may touch it: the middle of its lower or upper edge. */
function anchor(layout: GraphLayout, part: number, side: 'lower' | 'upper'): [number, number] {
  const joint = layout.joints[part - layout.nodes.length];
  if (joint) return [joint.x, joint.y + (side === 'lower' ? 3 : -3)];
  const { x, y, w, h } = layout.nodes[part];
  return [x + w / 2, side === 'lower' ? y + h : y];
}

describe.each(ALL)('the layout of $name', ({ shape, layout }) => {
  it('puts every node, in its size, inside the bounds', () => {
    expect(layout.nodes.map(({ w, h }) => ({ w, h }))).toEqual(shape.sizes);
    for (const { x, y, w, h } of layout.nodes) {
      expect(Math.min(x, y)).toBeGreaterThanOrEqual(0);
      expect(x + w).toBeLessThanOrEqual(layout.width);
      expect(y + h).toBeLessThanOrEqual(layout.height);
    }
  });

  it('keeps lines as far from the sides as boxes', () => {
    const xs = layout.edges.flatMap(({ points }) => points.filter((_, i) => i % 2 === 0));
    expect(Math.min(...layout.nodes.map(({ x }) => x), ...xs)).toBeGreaterThanOrEqual(24);
    expect(Math.max(0, ...xs)).toBeLessThanOrEqual(layout.width - 24);
  });

  it('lets no two nodes overlap', () => {
    const { nodes } = layout;
    nodes.forEach((node, i) => {
      expect(nodes.slice(i + 1).filter((other) => overlap(node, other))).toEqual([]);
    });
  });

  it('leads every line from the middle below to the middle above, and never up', () => {
    for (const { from, to, points } of layout.edges) {
      const heights = points.filter((_, i) => i % 2 === 1);
      for (let i = 1; i < heights.length; i++) expect(heights[i]).toBeGreaterThanOrEqual(heights[i - 1]);
      expect(heights[heights.length - 1]).toBeGreaterThan(heights[0]);
      const [x0, y0] = anchor(layout, from, 'lower');
      const [x1, y1] = anchor(layout, to, 'upper');
      expect(points[0]).toBeCloseTo(x0);
      expect(points[1]).toBeCloseTo(y0);
      expect(points[points.length - 2]).toBeCloseTo(x1);
      expect(points[points.length - 1]).toBeCloseTo(y1);
    }
  });
});

describe('layOutGraph', () => {
  it('crosses no box with a line', () => {
    for (const { layout } of REAL) {
      const inner = layout.nodes.map(({ x, y, w, h }) => ({ x: x + 1, y: y + 1, w: w - 2, h: h - 2 }));
      for (const { points } of layout.edges) {
        const low = points[1];
        const high = points[points.length - 1];
        const near = inner.filter(({ y, h }) => y + h > low && y < high);
        for (const [x, y] of along(points)) {
          expect(near.some((box) => x > box.x && x < box.x + box.w && y > box.y && y < box.y + box.h)).toBe(
            false,
          );
        }
      }
    }
  });

  it('sets what no edge touches in rows of their own below the rest', () => {
    const network = realNetwork('vgg');
    const last = network.graph.nodes.length - 1;
    const edges = network.graph.edges.filter(([, to]) => to < last - 2);
    const { layout } = new Example('cut', { ...network, graph: { ...network.graph, edges } });
    const apart = layout.apart as number;
    const below = layout.nodes.flatMap(({ y }, node) => (y >= apart ? [node] : []));
    expect(below).toEqual([last - 2, last - 1, last]);
  });

  it('lays a graph out alike each time', () => {
    const again = real('resnet50');
    expect(again.layout).toEqual(ALL.find(({ name }) => name === 'resnet50')?.layout);
  });
});
