import { countText, iterationText } from '../../kernel/format.ts';
import { drawGraph, type GraphPicture } from '../../marks/graph.ts';
import { drawGraphLegend } from '../../marks/graph_legend.ts';
import { drawGraphRuler, rulerWidth } from '../../marks/graph_ruler.ts';
import type { Sheet } from '../frame/export.ts';
import { legendOf } from './graph_colours.ts';
import type { GraphView } from './graph_view.svelte.ts';

/** The whole graph as a picture, whatever part of it is shown. */
const HEAD = 40;
const FOOT = 36;
const NARROWEST = 760;
const MARGIN = 24;

export function graphSheet(view: GraphView, picture: GraphPicture): Sheet {
  const { stage, network } = view;
  const { layout } = picture;
  const { theme } = stage.settings;
  const beside = rulerWidth(view.modules);
  const width = Math.max(NARROWEST, beside + layout.width);
  const height = HEAD + layout.height + FOOT;
  const iteration = stage.run.iterations[stage.focusDump];
  const camera = { scale: 1, x: beside + (width - beside - layout.width) / 2, y: HEAD };
  return {
    width,
    height,
    title: `${stage.run.id}, network graph`,
    draw: (surface) => {
      surface.rect(0, 0, width, height, { fill: theme.background });
      surface.text(stage.run.name, MARGIN, 22, { size: 12, weight: 600, fill: theme.ink });
      const note = [
        countText(layout.nodes.length, 'node'),
        ...(stage.store.v.spine === 'value' && iteration !== undefined
          ? [`iteration ${iterationText(iteration)}`]
          : []),
      ];
      surface.text(note.join(' · '), width - MARGIN, 22, { size: 10.5, fill: theme.ink2, anchor: 'end' });
      drawGraph(surface, theme, { ...picture, camera, width, height });
      drawGraphRuler(surface, theme, view.modules, camera, height);
      if (network) drawGraphLegend(surface, theme, legendOf(stage, network), MARGIN, height - 20);
    },
  };
}
