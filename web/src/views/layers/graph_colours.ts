import { valueText } from '../../kernel/format.ts';
import { measureText } from '../../kernel/measures.ts';
import type { Network, NodeKind } from '../../kernel/network.ts';
import type { GraphPicture } from '../../marks/graph.ts';
import type { GraphLegend } from '../../marks/graph_legend.ts';
import { KIND_WORDS } from './graph_words.ts';
import type { LayersStage } from './layers_stage.svelte.ts';

/** What the boxes of the graph look like, as the spine beside it would have them, and what that means. */
export function fillsOf(
  stage: LayersStage,
  { graph }: Network,
): Pick<GraphPicture, 'fillOf' | 'edged' | 'isPale' | 'countOf'> {
  const { theme } = stage.settings;
  const { fill, counts } = stage.focus;
  const countOf = (node: number) => {
    const { layer } = graph.nodes[node];
    return counts && layer !== null ? counts[layer] : null;
  };
  return {
    fillOf: (node) => {
      const { kind, layer } = graph.nodes[node];
      return fill && layer !== null ? fill(layer) : theme.nodes[kind];
    },
    edged: fill !== null,
    isPale: (node) => countOf(node) === 0,
    countOf: (node) => countOf(node) ?? 0,
  };
}

export function legendOf(stage: LayersStage, { graph }: Network): GraphLegend {
  const { theme } = stage.settings;
  const { counts } = stage.focus;
  const byValue = stage.store.v.spine === 'value';
  const byKind = graph.nodes.filter(({ layer }) => !byValue || layer === null);
  const kinds = (Object.keys(KIND_WORDS) as NodeKind[]).filter((kind) =>
    byKind.some((node) => node.kind === kind),
  );
  return {
    scale: byValue ? scaleOf(stage) : null,
    kinds: kinds.map((kind) => ({ colour: theme.nodes[kind], words: KIND_WORDS[kind] })),
    pale: counts ? `pale: none of the top ${stage.store.v.top} filters` : '',
  };
}

function scaleOf(stage: LayersStage): GraphLegend['scale'] {
  const { theme } = stage.settings;
  const extent = stage.valueExtent;
  if (!extent) return null;
  const [lo, hi] = extent;
  const most = Math.max(Math.abs(lo), Math.abs(hi));
  return {
    ramp: lo < 0 ? theme.divergingRamp : theme.changeRamp,
    words: measureText(stage.store.v.stat).title,
    ends: [lo < 0 ? valueText(-most) : '0', valueText(most)],
  };
}
