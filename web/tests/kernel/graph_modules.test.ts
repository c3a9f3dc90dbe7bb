import { describe, expect, it } from 'vitest';
import { moduleSpans } from '../../src/kernel/graph_modules.ts';
import { defaultShown } from '../../src/kernel/network.ts';
import { real } from '../graph_examples.ts';

describe('moduleSpans', () => {
  it('has the blocks of a DenseNet one below the other, and no single layers', () => {
    const { network, layout } = real('densenet121');
    const spans = moduleSpans(network, defaultShown(network), layout);
    expect(spans.map(({ name }) => name)).toEqual([1, 2, 3, 4].map((block) => `features.denseblock${block}`));
    expect(spans.every(({ lane }) => lane === 0)).toBe(true);
    for (let i = 1; i < spans.length; i++) expect(spans[i].top).toBeGreaterThan(spans[i - 1].bottom);
  });

  it('gives modules that run beside each other lanes of their own', () => {
    const { network, layout } = real('resnet50');
    const named = (name: string) => network.nodes.findIndex((node) => node.name === name);
    const spans = moduleSpans(network, [named('layer1'), named('layer1.1'), named('layer2')], layout);
    expect(spans.map(({ name, lane }) => [name, lane])).toEqual([
      ['layer1', 0],
      ['layer1.1', 1],
      ['layer2', 0],
    ]);
  });
});
