import { whenText } from '../../kernel/detail.ts';
import { countText, valueText } from '../../kernel/format.ts';
import { measureText } from '../../kernel/measures.ts';
import type { Network, NodeKind } from '../../kernel/network.ts';
import type { LayersStage } from './layers_stage.svelte.ts';

/** What is told of a node of the graph. */
export const KIND_WORDS: Readonly<Record<NodeKind, string>> = {
  data: 'data',
  conv: 'convolution',
  pool: 'pooling',
  add: 'addition',
  concat: 'concatenation',
  linear: 'linear',
};

export interface NodeWords {
  readonly name: string;
  readonly facts: readonly string[];
}

export function wordsOf(stage: LayersStage, network: Network, node: number): NodeWords {
  const { label, kind, layer } = network.graph.nodes[node];
  if (layer === null) {
    const words = KIND_WORDS[kind];
    return { name: label, facts: [...(words === label ? [] : [words]), 'no weights'] };
  }
  const { name, kind: module, shape, filters, places } = network.layers[layer];
  const facts = [
    module === kind ? KIND_WORDS[kind] : `${KIND_WORDS[kind]} (${module})`,
    `weights ${shape.join(' × ')}`,
    countText(filters, 'filter'),
    ...valueWords(stage, network.nodeOfLayer[layer]),
  ];
  const { counts } = stage.focus;
  if (counts) facts.push(`${counts[layer]} of the top ${stage.store.v.top}`);
  if (places.length > 1) facts.push(`weights shared with ${places.slice(1).join(', ')}`);
  return { name, facts };
}

function valueWords(stage: LayersStage, node: number): string[] {
  const here = stage.readingAt(node, stage.focusDump);
  if (!here || stage.focusDump >= stage.run.dumps) return [];
  const words = Number.isNaN(here.mean) ? 'not recorded' : valueText(here.mean);
  return [
    `${measureText(stage.store.v.stat).title} ${whenText(stage.run.iterations, stage.focusDump, here.of)}: ${words}`,
  ];
}
