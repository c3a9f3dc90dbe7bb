import { describe, expect, it } from 'vitest';
import { joinInputs, type JoinedGraph } from '../../src/kernel/graph_joints.ts';
import type { GraphShape } from '../../src/kernel/graph_layout.ts';
import { randomGraphs, real, realGraphs } from '../graph_examples.ts';

const SIZE = { w: 40, h: 20 };

function shapeWith(nodes: number, edges: GraphShape['edges']): GraphShape {
  return { sizes: Array.from({ length: nodes }, () => SIZE), edges };
}

/** The edges between nodes that paths through joints stand for, each as often as there is a path. */
function expanded(nodes: number, { edges }: JoinedGraph): string[] {
  const reached = (place: number): number[] =>
    place < nodes ? [place] : edges.filter(([from]) => from === place).flatMap(([, to]) => reached(to));
  return edges
    .filter(([from]) => from < nodes)
    .flatMap(([from, to]) => reached(to).map((end) => `${from}-${end}`))
    .sort();
}

describe('joinInputs', () => {
  it('stands for the same edges, each once', () => {
    for (const { shape } of [...realGraphs(), ...randomGraphs(80)]) {
      const own = shape.edges.map((edge) => edge.join('-')).sort();
      expect(expanded(shape.sizes.length, joinInputs(shape))).toEqual(own);
    }
  });

  it('leaves a graph alone in which no two nodes read the same', () => {
    for (const { shape } of [real('vgg'), real('inception'), real('resnet50')]) {
      const { joints, edges } = joinInputs(shape);
      expect(joints).toBe(0);
      expect(edges.map((edge) => edge.join('-')).sort()).toEqual(shape.edges.map((e) => e.join('-')).sort());
    }
  });

  it('draws a DenseNet with one line beside each of its layers', () => {
    const { shape } = real('densenet121');
    expect(shape.edges.length).toBe(719);
    expect(joinInputs(shape).edges.length).toBeLessThan(300);
  });

  it('gives two readers of the same inputs one joint', () => {
    const joined = joinInputs(shapeWith(4, [[0, 2], [1, 2], [0, 3], [1, 3]])); // prettier-ignore
    expect(joined.joints).toBe(1);
    expect([...joined.edges].sort()).toEqual([[0, 4], [1, 4], [4, 2], [4, 3]]); // prettier-ignore
  });

  it('takes over the largest part of what a node reads', () => {
    const edges = [[0, 3], [1, 3], [0, 4], [1, 4], [2, 4], [0, 5], [1, 5], [2, 5], [3, 5]] as const; // prettier-ignore
    const { joints, edges: joined } = joinInputs(shapeWith(6, edges));
    expect(joints).toBe(2);
    expect([...joined].sort()).toEqual(
      [[0, 6], [1, 6], [6, 3], [6, 7], [2, 7], [7, 4], [7, 5], [3, 5]].sort(), // prettier-ignore
    );
  });
});
