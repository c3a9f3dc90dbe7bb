import { describe, expect, it } from 'vitest';
import { linesOf, stepFrom } from '../../src/kernel/graph_steps.ts';
import { real, realGraphs } from '../graph_examples.ts';

const EXAMPLES = realGraphs();

describe('stepFrom', () => {
  it('goes down and up along edges only, and stays where there is none', () => {
    for (const { network, layout } of EXAMPLES) {
      const { graph } = network;
      graph.nodes.forEach((_, node) => {
        const down = stepFrom(graph, layout, node, 'down');
        const up = stepFrom(graph, layout, node, 'up');
        expect(down === node || graph.edges.some(([a, b]) => a === node && b === down)).toBe(true);
        expect(up === node || graph.edges.some(([a, b]) => b === node && a === up)).toBe(true);
        expect(down === node).toBe(!graph.edges.some(([from]) => from === node));
      });
    }
  });

  it('reaches every branch of an Inception module from its first one', () => {
    const { network, layout } = real('inception');
    const { graph } = network;
    const pool = graph.nodes.findIndex(({ kind }) => kind === 'pool');
    const branches = graph.edges.filter(([from]) => from === pool).map(([, to]) => to);
    const seen = new Set<number>();
    for (const side of ['left', 'right'] as const) {
      let node = stepFrom(graph, layout, pool, 'down');
      for (let i = 0; i < branches.length; i++) {
        seen.add(node);
        node = stepFrom(graph, layout, node, side);
      }
    }
    expect([...seen]).toEqual(expect.arrayContaining(branches));
  });

  it('goes left and right to and fro between nodes of one row', () => {
    const { network, layout } = real('resnet50');
    const named = (label: string) => network.graph.nodes.findIndex((node) => node.label === label);
    const [side, main] = [named('layer1.0.downsample.0'), named('layer1.0.conv3')];
    const towards = layout.nodes[side].x < layout.nodes[main].x ? 'right' : 'left';
    const back = towards === 'right' ? 'left' : 'right';
    expect(stepFrom(network.graph, layout, side, towards)).toBe(main);
    expect(stepFrom(network.graph, layout, main, back)).toBe(side);
    expect(stepFrom(network.graph, layout, side, back)).toBe(side);
  });
});

describe('linesOf', () => {
  it('reaches, through joints, exactly the nodes at the other ends of the edges', () => {
    for (const { network, layout } of EXAMPLES) {
      const count = layout.nodes.length;
      network.graph.nodes.forEach((_, node) => {
        const lines = linesOf(layout, node).map((line) => layout.edges[line]);
        const ends = new Set(lines.flatMap(({ from, to }) => [from, to]));
        ends.delete(node);
        const neighbours = network.graph.edges.flatMap(([from, to]) =>
          from === node ? [to] : to === node ? [from] : [],
        );
        expect([...ends].filter((end) => end < count).sort()).toEqual([...new Set(neighbours)].sort());
      });
    }
  });
});
