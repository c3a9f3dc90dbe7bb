import { describe, expect, it } from 'vitest';
import {
  BOX_PADDING,
  boxesOf,
  labelWidth,
  missingGraph,
  readableName,
  weightsText,
} from '../../src/kernel/graph_layout.ts';
import { networkOf } from '../../src/kernel/network.ts';
import { realNetwork } from '../graph_examples.ts';
import { answerOf, NO_GRAPH } from '../network_examples.ts';

describe('readableName', () => {
  it.each([
    ['fc', 'fc'],
    ['layer1.0.downsample.0', 'layer1.0.downsample.0'],
    ['features.denseblock1.denselayer1.conv1', 'denselayer1.conv1'],
    ['stage1.inception1.conv1x1', 'inception1.conv1x1'],
    ['encoder.layers.encoder_layer_0.self_attention.out_proj', 'self_attention.out_proj'],
    ['backbone.features.stage.blocks.12.3', 'stage.blocks.12.3'],
    ['backbone.some_blocks.of_it.12.3', 'some_blocks.of_it.12.3'],
    ['backbone.some_long_blocks.of_it.12.3', 'of_it.12.3'],
    ['a_module_of_a_name_that_is_too_long.0', 'a_module_of_a_name_that_is_too_long.0'],
    ['0.1.2.3.4.5.6.7.8.9.10.11.12', '12'],
  ])('cuts %s to %s', (name, short) => expect(readableName(name)).toBe(short));
});

describe('weightsText', () => {
  it('tells kernel and filters of convolutions, whichever way round their weights are', () => {
    expect(weightsText('conv2d', [64, 3, 7, 7])).toBe('7×7, 64');
    expect(weightsText('conv_transpose2d', [64, 32, 2, 2])).toBe('2×2, 32');
    expect(weightsText('conv3d', [8, 4, 3, 3, 1])).toBe('3×3×1, 8');
  });

  it('tells what goes in and out of a linear layer, and the shape of all else', () => {
    expect(weightsText('linear', [10, 512])).toBe('512 → 10');
    expect(weightsText('embedding', [1000, 64])).toBe('1000×64');
  });
});

describe('boxesOf', () => {
  it('names every node, and makes room for its words', () => {
    const network = realNetwork('resnet50');
    const boxes = boxesOf(network);
    expect(boxes[1]).toMatchObject({ name: 'conv1', detail: '7×7, 64' });
    expect(boxes[2]).toMatchObject({ name: 'maximum pooling', detail: '' });
    for (const { name, detail, w } of boxes) {
      expect(w).toBeGreaterThanOrEqual(labelWidth(name) + labelWidth(detail) + 2 * BOX_PADDING);
    }
  });

  it('knows how wide letters are', () => {
    // Measured on a canvas, in Inter, 600 10.5px.
    expect(labelWidth('layer1.0.downsample.0')).toBeCloseTo(118.6, -1);
    expect(labelWidth('concatenation')).toBeCloseTo(72.7, -1);
  });
});

describe('missingGraph', () => {
  const withSource = (source: string) => networkOf({ ...answerOf(['a'], NO_GRAPH), source });

  it('says nothing where there is a graph', () => {
    expect(missingGraph(realNetwork('vgg'))).toBeNull();
  });

  it('says why there is none', () => {
    const failed = withSource(
      'module names; no forward pass could be followed (RuntimeError: shapes (4x5) and (6x7))',
    );
    expect(missingGraph(failed)?.why).toBe(
      'No forward pass could be followed: RuntimeError: shapes (4x5) and (6x7)',
    );
    expect(missingGraph(withSource('module names'))?.why).toContain('No forward pass was followed');
    expect(missingGraph(withSource('a file'))?.why).toBe('Source: a file.');
  });
});
