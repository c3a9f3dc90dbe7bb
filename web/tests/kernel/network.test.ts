import { describe, expect, it } from 'vitest';
import {
  defaultShown,
  descendantsOf,
  isWithin,
  levelOf,
  networkOf,
  shownWithin,
  siblingsOf,
  type Network,
} from '../../src/kernel/network.ts';
import { answerOf, example, NO_GRAPH } from '../network_examples.ts';

const find = (network: Network, name: string) => network.nodes.findIndex((node) => node.name === name);
const names = (network: Network, nodes: readonly number[]) => nodes.map((node) => network.nodes[node].name);

describe('networkOf', () => {
  const network = networkOf(answerOf(['stem', 'body.0.a', 'body.0.b', 'head', 'body.1.a'], NO_GRAPH));

  it('gives every node its children, its depth, and the layers below it', () => {
    const body = network.nodes[find(network, 'body')];
    expect(names(network, body.children)).toEqual(['body.0', 'body.1']);
    expect(body).toMatchObject({ depth: 1, layer: null, layers: [1, 2, 4], parent: 0 });
    expect(network.nodes[0].layers).toEqual([0, 1, 2, 3, 4]);
    expect(network.nodes[find(network, 'body.0.b')]).toMatchObject({ depth: 3, layer: 2, layers: [2] });
  });

  it('finds the leaf of each layer, and counts all filters', () => {
    network.layers.forEach((layer, i) =>
      expect(network.nodes[network.nodeOfLayer[i]]).toMatchObject({ layer: i, name: layer.name }),
    );
    expect(network.filters).toBe(20);
    expect(network.layers[0].fanIn).toBe(27);
  });

  it('shortens a name by that of its parent', () => {
    expect(network.nodes[find(network, 'body.0.a')].short).toBe('a');
    expect(network.nodes[find(network, 'stem')].short).toBe('stem');
    const folded = example('resnet50');
    expect(folded.nodes[find(folded, 'layer1.0.downsample.0')].short).toBe('downsample.0');
  });

  it('keeps the name of a module whose own weight is its child', () => {
    const answer = answerOf(['a'], NO_GRAPH);
    const nodes = [
      ...answer.nodes.slice(0, 1),
      { name: 'a', parent: 0, layer: null },
      { name: 'a', parent: 1, layer: 0 },
    ];
    expect(networkOf({ ...answer, nodes }).nodes[2].short).toBe('a');
  });
});

describe('levels', () => {
  const network = example('resnet50');
  it.each([
    ['', 'module'],
    ['conv1', 'module'],
    ['layer2', 'module'],
    ['layer2.0', 'block'],
    ['layer2.0.conv1', 'layer'],
  ] as const)('%s is a %s', (name, level) => {
    expect(levelOf(network, find(network, name))).toBe(level);
  });

  it('know siblings, themselves among them, and all that lies below', () => {
    expect(names(network, siblingsOf(network, find(network, 'layer1.1')))).toEqual([
      'layer1.0',
      'layer1.1',
      'layer1.2',
    ]);
    expect(siblingsOf(network, 0)).toEqual([0]);
    expect(names(network, descendantsOf(network, find(network, 'layer1.1')))).toEqual([
      'layer1.1.conv1',
      'layer1.1.conv2',
      'layer1.1.conv3',
    ]);
    expect(descendantsOf(network, 0)).toHaveLength(network.nodes.length - 1);
  });
});

describe('defaultShown', () => {
  it('is the modules', () => {
    const network = example('resnet50');
    expect(names(network, defaultShown(network))).toEqual([
      'conv1',
      'layer1',
      'layer2',
      'layer3',
      'layer4',
      'fc',
    ]);
  });

  it('opens a single module that holds most layers', () => {
    const network = example('densenet121');
    const shown = names(network, defaultShown(network));
    expect(shown).toContain('features.denseblock3');
    expect(shown).toContain('classifier');
    expect(shown).not.toContain('features');
  });

  it('opens no module that holds half of the layers or fewer, and no layer', () => {
    const even = networkOf(answerOf(['a.x', 'a.y', 'b.x', 'b.y'], NO_GRAPH));
    expect(names(even, defaultShown(even))).toEqual(['a', 'b']);
    const flat = networkOf(answerOf(['x', 'y'], NO_GRAPH));
    expect(names(flat, defaultShown(flat))).toEqual(['x', 'y']);
    const one = networkOf(answerOf(['x'], NO_GRAPH));
    expect(names(one, defaultShown(one))).toEqual(['x']);
  });
});

describe('shownWithin', () => {
  const network = networkOf(answerOf(['a.x', 'a.y', 'b.x', 'b.y'], NO_GRAPH));

  it('is the layers that are looked at, else what is shown first', () => {
    expect(names(network, shownWithin(network, new Set([1, 2])))).toEqual(['a.y', 'b.x']);
    expect(shownWithin(network, new Set())).toEqual(defaultShown(network));
    expect(shownWithin(network, new Set([9]))).toEqual(defaultShown(network));
  });

  it('holds a node whose layers are all among them', () => {
    const within = (...layers: number[]) =>
      network.nodes.filter(({ index }) => isWithin(network, index, new Set(layers))).map(({ name }) => name);
    expect(within(0, 1)).toEqual(['a', 'a.x', 'a.y']);
    expect(within(0)).toEqual(['a.x']);
    expect(within()).toHaveLength(network.nodes.length);
  });
});
